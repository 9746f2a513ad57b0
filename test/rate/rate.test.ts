import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucket } from "../support/limiters.ts";
import { rate, sumOf, type RateReport } from "./rate.ts";

const usual = {
  limiter: () => tokenBucket(20, 20),
  workers: 2,
  workerConcurrency: 6,
  withinMs: 180_000,
} as const;

/** The last four seconds in which the workers wanted more than there is. */
const late = ({ seconds, busyUntil }: RateReport) => seconds.slice(busyUntil - 4, busyUntil);

test("two workers learn what a registry takes: refusals stop, and no job and no attempt is lost", async () => {
  const report = await rate({ ...usual, jobs: 26 });
  const { statuses, incomplete, errors, lost } = report;
  // A connection may break on a busy machine; being limited costs no attempt.
  const limited = lost.filter((why) => why.startsWith("registry_rate_limited"));
  assert.deepEqual([statuses, incomplete, errors, limited], [{ succeeded: 26 }, 0, [], []]);
  const told = JSON.stringify(report.seconds);
  assert.ok(report.busyUntil >= 12, told);
  assert.ok(sumOf(late(report), "refused") <= 2, told);
  assert.ok(sumOf(report.seconds, "refused") > 0, "negative control: there was something to learn");
});

test("without the cluster's pace they do not stop", async () => {
  const report = await rate({ ...usual, jobs: 12, paced: false });
  assert.deepEqual([report.statuses, report.incomplete], [{ succeeded: 12 }, 0]);
  const refused = sumOf(report.seconds.slice(6, 12), "refused");
  assert.ok(refused > 20, JSON.stringify(report.seconds));
});
