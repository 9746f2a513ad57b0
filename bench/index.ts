// npm run bench [-- line …]: our service, with a worker that is up, beside `skopeo copy`, in pairs: the same bytes to a new place for each
// run. Prints ratios (ours / skopeo's; below 1 is faster), medians with the least and the most. Times of different minutes are not
// comparable on a busy machine; ratios within a pair are.
//
//   PAIRS=7 npm run bench -- big sixty

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing } from "../test/support/peers.ts";
import { startService } from "../test/support/service.ts";
import { LINES, type Line, type Pair } from "./lines.ts";
import { median, peakMemoryOf, spread, type Cost } from "./measure.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);

const pairs = Number(process.env["PAIRS"] ?? 5);
const absent = missing("skopeo", "docker-registry", "bash", "tar");
if (absent !== false) throw new Error(absent);

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(LINES)) {
  const line = LINES[name];
  if (line === undefined)
    throw new Error(`no line \`${name}\`; there are ${Object.keys(LINES).join(", ")}`);
  say(`${name}: ${line.about}, ${pairs} pairs after a warm-up`);
  await run(line);
}

async function run(line: Line): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "transship-bench-"));
  try {
    await using service = await startService({ workers: 1 });
    await using copies = await line.open(home, service);
    const rows: Pair[] = [];
    for (let i = 0; i <= pairs; i++) {
      const row = await copies.pair(i);
      if (i > 0) rows.push(row);
      say(
        `  ${i === 0 ? "warm-up" : `pair ${i} `}  ours ${show(row.ours)}  skopeo ${show(row.theirs)}`,
      );
    }
    summarize(rows, [...service.workers][0]?.pid ?? 0);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function summarize(rows: readonly Pair[], worker: number): void {
  const ratio = (of: keyof Cost) =>
    spread(rows.map(({ ours, theirs }) => (ours[of] ?? 0) / (theirs[of] ?? 0)));
  const wall = (who: keyof Pair) => `${median(rows.map((row) => row[who].wall)).toFixed(2)} s`;
  const size = rows.some(({ ours }) => ours.bytes !== undefined) ? `, size ${ratio("bytes")}` : "";
  say(`  ours / skopeo's, median (least–most): wall ${ratio("wall")}, cpu ${ratio("cpu")}${size}`);
  say(
    `  ours ${wall("ours")}, skopeo ${wall("theirs")}; the worker's peak memory ${peakMemoryOf(worker).toFixed(0)} MiB`,
  );
}

function show({ wall, cpu, bytes }: Cost): string {
  const size = bytes === undefined ? "" : `, ${(bytes / 1e6).toFixed(1)} MB`;
  return `${wall.toFixed(2)} s, ${cpu.toFixed(2)} s cpu${size}`;
}
