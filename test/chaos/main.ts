// npm run chaos: 20 jobs on four workers with three permits, first in peace, then while workers are killed at random. Ends 0 only if
// nothing was lost, nothing failed, the limit held, and no permit was left.

import { chaos, type ChaosReport } from "./chaos.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const usual = { jobs: 20, workers: 4, blobConcurrency: 3, say } as const;
const timing = { leaseMs: 3000, lockMs: 3000, stalledMs: 1000, graceMs: 1000 };

const faults = (name: string, report: ChaosReport, leastKills: number): string[] => {
  say(`${name}: ${JSON.stringify(report)}`);
  return [
    ...(report.statuses["succeeded"] === usual.jobs ? [] : [`${name}: not all jobs succeeded`]),
    ...(report.incomplete === 0 ? [] : [`${name}: ${report.incomplete} images are not whole`]),
    ...(Math.max(report.peak.downloads, report.peak.uploads) <= usual.blobConcurrency
      ? []
      : [`${name}: more than ${usual.blobConcurrency} blobs were in flight`]),
    ...(report.left === 0 ? [] : [`${name}: ${report.left} permits are left`]),
    ...(report.kills >= leastKills ? [] : [`${name}: only ${report.kills} workers were killed`]),
  ];
};

const peace = faults(
  "in peace",
  await chaos({ ...usual, layers: 4, blobMs: 150, withinMs: 120_000 }),
  0,
);
const war = faults(
  "under fire",
  await chaos({ ...usual, layers: 12, blobMs: 400, killEveryMs: 1200, timing, withinMs: 900_000 }),
  50,
);
for (const fault of [...peace, ...war]) say(fault);
process.exitCode = peace.length + war.length === 0 ? 0 : 1;
