import assert from "node:assert/strict";
import { test } from "node:test";
import { chaos } from "../chaos/chaos.ts";

const usual = { jobs: 20, layers: 3, workers: 4, blobConcurrency: 3, blobMs: 60 } as const;

test("four workers together never move more blobs at once than BLOB_CONCURRENCY, and use it", async () => {
  const report = await chaos({ ...usual, withinMs: 60_000 });
  assert.deepEqual(report.statuses, { succeeded: 20 });
  assert.deepEqual(
    { incomplete: report.incomplete, left: report.left, errors: report.errors },
    { incomplete: 0, left: 0, errors: [] },
  );
  assert.equal(report.peak.downloads, 3);
  assert.ok(report.peak.uploads <= 3, `${report.peak.uploads} uploads`);
  assert.equal(report.uploads, report.blobs);
});

test("the counting registries do see more blobs at once where more are allowed", async () => {
  const report = await chaos({ ...usual, jobs: 8, blobConcurrency: 8, withinMs: 60_000 });
  assert.ok(report.peak.downloads > 3, `${report.peak.downloads} at once`);
});

test("workers that are killed at random lose no job, fail none, and leave no permit", async () => {
  const timing = { leaseMs: 2000, lockMs: 2000, stalledMs: 700, graceMs: 500 };
  const report = await chaos({
    ...usual,
    layers: 6,
    blobMs: 150,
    killEveryMs: 1500,
    timing,
    withinMs: 120_000,
  });
  assert.ok(report.kills >= 5, `${report.kills} kills`);
  assert.deepEqual(report.statuses, { succeeded: 20 });
  assert.deepEqual(
    { incomplete: report.incomplete, left: report.left, errors: report.errors },
    { incomplete: 0, left: 0, errors: [] },
  );
  assert.ok(report.peak.downloads <= 3 && report.peak.uploads <= 3, JSON.stringify(report.peak));
});
