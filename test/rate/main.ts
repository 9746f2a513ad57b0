// npm run rate: ten workers against a registry that takes 50 requests a second, for a minute, by two kinds of limit. Ends 0 only if after ten
// seconds no request was refused any more, nine tenths of what the registry takes were used, and every job succeeded.

import { fixedWindow, tokenBucket } from "../support/limiters.ts";
import { rate, sumOf, type RateReport } from "./rate.ts";

const PER_SECOND = 50;
const LEARNING_SECONDS = 10;
const JOBS = 200;

const say = (line: string) => process.stdout.write(`${line}\n`);
const usual = {
  workers: 10,
  workerConcurrency: 4,
  jobs: JOBS,
  withinMs: 600_000,
  told: (second: number, { passed, refused }: { passed: number; refused: number }) =>
    say(
      `${String(second).padStart(4)} s ${String(passed).padStart(5)} let through ${String(refused).padStart(5)} × 429`,
    ),
} as const;

function faults(name: string, report: RateReport): string[] {
  const settled = report.seconds.slice(LEARNING_SECONDS, report.busyUntil);
  const refused = sumOf(settled, "refused");
  const perSecond = sumOf(settled, "passed") / settled.length;
  say(
    `${name}: in seconds ${LEARNING_SECONDS} to ${report.busyUntil} ${perSecond.toFixed(1)} of ${PER_SECOND} a second, ${refused} × 429 (before: ${sumOf(report.seconds.slice(0, LEARNING_SECONDS), "refused")}); ${JSON.stringify(report.statuses)}, ${report.lost.length} attempts lost`,
  );
  return [
    ...(refused === 0
      ? []
      : [`${name}: ${refused} requests were refused after ${LEARNING_SECONDS} s`]),
    ...(settled.length >= 40 ? [] : [`${name}: only ${settled.length} seconds were counted`]),
    ...(perSecond >= 0.9 * PER_SECOND ? [] : [`${name}: only ${perSecond.toFixed(1)} a second`]),
    ...(report.statuses["succeeded"] === JOBS ? [] : [`${name}: not all jobs succeeded`]),
    // A connection may break on a busy machine; being limited is no reason.
    ...report.lost.filter((why) => why.startsWith("registry_rate_limited")),
    ...(report.incomplete === 0 ? [] : [`${name}: ${report.incomplete} images are not whole`]),
    ...report.errors,
  ];
}

const found: string[] = [];
const bucket = { ...usual, limiter: () => tokenBucket(PER_SECOND, PER_SECOND) };
found.push(...faults("token bucket", await rate(bucket)));
const window = { ...usual, limiter: () => fixedWindow(PER_SECOND) };
found.push(...faults("fixed window", await rate(window)));
for (const fault of found) say(fault);
process.exitCode = found.length === 0 ? 0 : 1;
