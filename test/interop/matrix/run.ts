// Runs one case: the same input through the service and through each skopeo, then a judgement for each skopeo.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Sample } from "../../support/samples.ts";
import { needsEngine } from "./cases.ts";
import { removeImages } from "./engine.ts";
import { byNewest, checked, judge } from "./judge.ts";
import type { Case, Facts, Judgement, Result } from "./model.ts";
import {
  idOf,
  placeDestination,
  placeSource,
  referrersAt,
  wishOf,
  type Running,
} from "./places.ts";
import type { Side, World } from "./world.ts";

/** A judgement a skopeo, in their order; of an option that skopeo does not have, one. Throws only where the suite itself is at fault. */
export async function runCase(world: World, wanted: Case): Promise<readonly Judgement[]> {
  const running: Running = { wanted, id: idOf(wanted) };
  try {
    const source = await placeSource(world, running);
    const side = async (of: Side): Promise<Result> => {
      const destination = await placeDestination(world, running, of, source.sample);
      const wish = wishOf(running, of, source.sample);
      const before = await destination.read();
      const answer = await of.copy(source.reference(of), destination.reference, wish);
      return { answer, before, made: await destination.read() };
    };
    const { check } = wanted.option;
    if (check !== undefined && source.sample !== undefined) {
      const result = await side(world.ours);
      return [checked(check, await factsOf(world, running, source.sample, result))];
    }
    const [ours, ...theirs] = await Promise.all([world.ours, ...world.theirs].map(side));
    return byNewest(
      theirs.map((result, i) =>
        judge(wanted, (world.theirs[i] as Side).name, result, ours as Result, source.sample),
      ),
    );
  } finally {
    await rm(join(world.folder, running.id), { recursive: true, force: true });
    if (needsEngine(wanted)) await removeImages(running.id);
  }
}

async function factsOf(
  { ours }: World,
  running: Running,
  source: Sample,
  result: Result,
): Promise<Facts> {
  const writes = ours.registry.requests.filter(
    ({ method, path }) =>
      /^(PUT|POST|PATCH)$/.test(method) && path.startsWith(`/v2/${running.id}/`),
  );
  const referrers = await referrersAt(ours, running, source, result.made);
  return { source, ...result, writes: writes.length, referrers };
}
