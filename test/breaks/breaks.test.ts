// The short form of `npm run breaks`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { missing, missingNew, startCraneRegistry, startDockerRegistry } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { copyOverBreaks, pushTo } from "./breaks.ts";

const KIB = 1024;
const image = makeImage({ layers: [16 * KIB * KIB], seed: "few breaks" });
const usual = { image, atOnce: 2, copies: 4, seed: 3, name: "copy" } as const;

test("copies over connections that break eight times each way succeed, and read 64 KiB a break again at most", async () => {
  await using from = await startRegistry();
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  const breaks = { reading: 8, writing: 8 };
  const report = await copyOverBreaks({ ...usual, from: from.host, to: to.host, breaks });
  assert.deepEqual(report.failures, []);
  const { reading, writing } = report.breaks;
  assert.ok(reading > 4 && writing > 4, JSON.stringify(report));
  assert.ok(report.readAgain <= 64 * KIB * (reading + writing), JSON.stringify(report));
});

test("where Range is ignored, what is read again is seen", async () => {
  await using from = await startRegistry({ quirks: ["ignores-range"] });
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  const breaks = { reading: 4, writing: 0 };
  const report = await copyOverBreaks({ ...usual, from: from.host, to: to.host, breaks });
  assert.deepEqual(report.failures, []);
  assert.ok(report.mostReadAgain > 64 * KIB, JSON.stringify(report));
});

test("a real registry is no different", { skip: missing("docker-registry") }, async () => {
  await using registry = await startDockerRegistry();
  await pushTo(registry.host, image);
  const ends = { from: registry.host, to: registry.host };
  const report = await copyOverBreaks({ ...usual, ...ends, breaks: { reading: 8, writing: 3 } });
  assert.deepEqual(report.failures, []);
  const { reading, writing } = report.breaks;
  assert.ok(report.readAgain <= 64 * KIB * (reading + writing), JSON.stringify(report));
});

/** go-containerregistry's registry: it answers `Range`, but no question after an upload, which begins anew each time. */
test(
  "another real registry is read on from where it broke off",
  { skip: missingNew("crane") },
  async () => {
    await using from = await startCraneRegistry();
    await using to = await startRegistry({ quirks: ["relative-location"] });
    await pushTo(from.host, image);
    const breaks = { reading: 8, writing: 0 };
    const report = await copyOverBreaks({ ...usual, from: from.host, to: to.host, breaks });
    assert.deepEqual(report.failures, []);
    const { reading } = report.breaks;
    assert.ok(reading > 4, JSON.stringify(report));
    assert.ok(report.readAgain <= 64 * KIB * reading, JSON.stringify(report));
  },
);
