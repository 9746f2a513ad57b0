// A copy that is called off at any of its requests: what it leaves is not seen, and the next copy succeeds.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "../support/fault-script.ts";
import { Bench, inProcess } from "./bench.ts";
import { judge } from "./oracle.ts";
import { run, SCENARIOS, type Ends, type Scenario } from "./scenarios.ts";

const UNHEARD: Fault = { type: "break", how: "reset", at: "request" };
const never = new AbortController().signal;

/** What the tag names before, where it names anything. */
const OLD = SCENARIOS.guarded;

async function putOld(bench: Bench, ends: Ends): Promise<void> {
  await using registries = bench.fresh("moves");
  const source = { ...ends.source, repository: `from/${OLD.name}` };
  await run(OLD, { ...ends, registries, source }, never);
}

/** Calls a copy off at its n-th request, which the registry hears of or not. False: it was done before. */
async function isCalledOff(
  bench: Bench,
  scenario: Scenario,
  nth: number,
  fault: Fault | undefined,
): Promise<boolean> {
  const { proxies, upstream } = bench;
  const ends = bench.ends(scenario, "moves");
  await using _ = ends.registries;
  const isTaken = fault === undefined;
  if (isTaken) await putOld(bench, ends);
  const openBefore = upstream.openUploads?.() ?? 0;
  const caller = new AbortController();
  let requests = 0;
  for (const proxy of Object.values(proxies))
    proxy.onRequest = () => {
      if (++requests !== nth) return undefined;
      caller.abort(new Error("called off"));
      return fault;
    };
  const what = `${scenario.name}, request ${nth}${fault === undefined ? "" : ", unheard"}`;
  const outcome = await run(scenario, ends, caller.signal).then(
    () => "done",
    (error: unknown) => error,
  );
  for (const proxy of Object.values(proxies)) proxy.onRequest = () => undefined;
  const holdings = upstream.holdings(ends.destination.repository);
  const left = await judge(holdings, "v1");
  assert.deepEqual(left.faults, [], what);
  if (requests < nth) {
    assert.equal(outcome, "done", what);
    return false;
  }
  assert.equal(outcome, caller.signal.reason, what);
  const before = isTaken ? OLD.image.digest : undefined;
  assert.ok(left.digest === before || left.digest === scenario.image.digest, what);
  // Of one session nobody may have heard: it lapses.
  assert.ok((upstream.openUploads?.() ?? 0) - openBefore <= 1, `${what}: sessions are left`);
  await run(scenario, ends, never);
  const { digest, faults } = await judge(holdings, "v1");
  assert.deepEqual({ digest, faults }, { digest: scenario.image.digest, faults: [] }, what);
  return true;
}

for (const [scenario, least] of [
  [SCENARIOS.five, 20],
  [SCENARIOS.used, 40],
] as const)
  for (const fault of [undefined, UNHEARD])
    test(`a copy of ${scenario.name} can be called off at each of its requests${fault === undefined ? "" : ", unheard"}`, async (t) => {
      await using bench = await Bench.start(await inProcess());
      let nth = 1;
      while (await isCalledOff(bench, scenario, nth, fault)) nth++;
      t.diagnostic(`${nth - 1} requests`);
      assert.ok(nth > least);
    });

test("control: the judge complains of what is missing, and of what is something else", async () => {
  const { image } = SCENARIOS.list;
  const [one] = image.images;
  const blobs = new Map(image.images.flatMap(({ blobs: each }) => [...each]));
  const manifests = new Map(image.images.map(({ digest, manifest }) => [digest, manifest.bytes]));
  const faultsWithout = async (lost: string, instead?: Buffer) => {
    const found = (map: ReadonlyMap<string, Buffer>, ref: string) =>
      Promise.resolve(ref === lost ? instead : map.get(ref));
    const holdings = {
      manifest: (ref: string) =>
        ref === "v1" ? Promise.resolve(image.manifest.bytes) : found(manifests, ref),
      blob: (digest: string) => found(blobs, digest),
    };
    return (await judge(holdings, "v1")).faults;
  };
  const layer = one!.layers[0]!;
  assert.deepEqual(await faultsWithout(""), []);
  assert.deepEqual(await faultsWithout(one!.digest), [`${one!.digest} is missing`]);
  assert.deepEqual(await faultsWithout(layer.digest), [`${layer.digest} is missing`]);
  const other = Buffer.alloc(layer.size);
  const faults = await faultsWithout(layer.digest, other);
  assert.deepEqual(faults, [`${layer.digest} is something else`]);
});
