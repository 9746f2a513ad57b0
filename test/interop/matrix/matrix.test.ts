// A part of the matrix that is quick: each pair of transports once, each option once, at changing pairs, and each difference that is meant.
// All of it: npm run interop.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "../../support/peers.ts";
import { allCases, needsEngine } from "./cases.ts";
import { KNOWN } from "./known.ts";
import type { Case } from "./model.ts";
import { runCase } from "./run.ts";
import { startWorld, type World } from "./world.ts";

const skip = missing("skopeo", "docker-registry", "bzip2", "xz");

let world: World;

before(async () => {
  if (skip === false) world = await startWorld({ skopeos: ["skopeo"], distribution: true });
});
after(async () => {
  if (skip === false) await world[Symbol.asyncDispose]();
});

/** The first input of every pair, and one case of every option. */
function representative(cases: readonly Case[]): readonly Case[] {
  const pairs = Map.groupBy(
    cases.filter(({ optionName }) => optionName === "none"),
    ({ source, destination }) => `${source} → ${destination}`,
  );
  const options = Map.groupBy(
    cases.filter(({ optionName }) => optionName !== "none"),
    ({ optionName }) => optionName,
  );
  return [
    ...[...pairs.values()].map(([first]) => first),
    ...[...options.values()].map((those, i) => those[(i * 7) % those.length]),
  ] as Case[];
}

for (const known of KNOWN) {
  const wanted = allCases().find((one) => known.name.test(one.name) && !needsEngine(one));
  // What only an engine shows is for `npm run interop -- --engine`.
  if (wanted === undefined) continue;
  test(`differs as docs/differences.md says (${known.row}): ${wanted.name}`, { skip }, async () => {
    const [judgement] = await runCase(world, wanted);
    assert.deepEqual(
      [judgement?.verdict, judgement?.row],
      ["known", known.row],
      judgement?.why ?? "",
    );
  });
}

for (const wanted of representative(allCases().filter((wanted) => !needsEngine(wanted)))) {
  test(`as skopeo: ${wanted.name}`, { skip }, async () => {
    const [judgement] = await runCase(world, wanted);
    assert.notEqual(judgement?.verdict, "different", judgement?.why ?? "");
  });
}
