// The short form of `npm run breaks`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { missing, missingNew, startCraneRegistry, startDockerRegistry } from "../support/peers.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry } from "../support/registry.ts";
import {
  copyOverBreaks,
  isOverLimit,
  pushTo,
  type BreaksOptions,
  type BreaksReport,
} from "./breaks.ts";

const MIB = 1024 * 1024;
const image = makeImage({ layers: [16 * MIB], seed: "few breaks" });
const usual = { image, workers: 2, atOnce: 2, copies: 4, seed: 3, name: "copy" } as const;

async function report(
  options: Pick<BreaksOptions, "breaks"> & Partial<BreaksOptions>,
  quirks: readonly Quirk[] = [],
): Promise<BreaksReport> {
  await using from = await startRegistry({ quirks });
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  const told = await copyOverBreaks({ ...usual, from: from.host, to: to.host, ...options });
  assert.deepEqual(told.failures, []);
  return told;
}

test("copies over connections that break eight times each way succeed; what a worker's first loss costs is read again, and little else", async () => {
  const told = await report({ breaks: { reading: 8, writing: 8 }, copies: 8 });
  const { breaks, copiesWithLoss, readAgain, lost } = told;
  assert.ok(breaks.reading > 4 && breaks.writing > 4, JSON.stringify(told));
  assert.ok(copiesWithLoss <= usual.workers + 2, JSON.stringify(told));
  assert.ok(
    readAgain - lost <= 64 * 1024 * (breaks.reading + breaks.writing),
    JSON.stringify(told),
  );
});

test("where nothing is kept, what uploads lose is seen", async () => {
  const told = await report({ breaks: { reading: 0, writing: 8 }, copies: 8, keepsSent: false });
  assert.ok(told.copiesWithLoss > usual.workers + 2, JSON.stringify(told));
  assert.ok(isOverLimit(told), JSON.stringify(told));
});

test("where Range is ignored, what is read again is seen", async () => {
  const told = await report({ breaks: { reading: 4, writing: 0 } }, ["ignores-range"]);
  assert.ok(isOverLimit(told), JSON.stringify(told));
});

test("a real registry is no different", { skip: missing("docker-registry") }, async () => {
  await using registry = await startDockerRegistry();
  await pushTo(registry.host, image);
  const breaks = { reading: 8, writing: 3 };
  const told = await report({ from: registry.host, to: registry.host, breaks, isResumed: false });
  assert.ok(!isOverLimit(told), JSON.stringify(told));
});

/** go-containerregistry's registry: it answers `Range`, but no question after an upload, which begins anew each time. */
test(
  "another real registry is read on from where it broke off",
  { skip: missingNew("crane") },
  async () => {
    await using from = await startCraneRegistry();
    await pushTo(from.host, image);
    const told = await report({ from: from.host, breaks: { reading: 8, writing: 0 } });
    assert.ok(told.breaks.reading > 4 && !isOverLimit(told), JSON.stringify(told));
  },
);
