// npm run bench [-- line …]: our service, with a worker that is up, beside skopeo, crane and oras, in rounds: the same bytes to a new place
// for each of them. Prints ratios (ours / theirs; below 1 is faster), medians with the least and the most. Times of different minutes are
// not comparable on a busy machine; ratios within a round are.
//
//   PAIRS=7 npm run bench -- big tls

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { missing } from "../test/support/peers.ts";
import { startService } from "../test/support/service.ts";
import type { Goal, Line, Round } from "./line.ts";
import { LINES } from "./lines.ts";
import { median, peakMemoryOf, spread, type Cost } from "./measure.ts";
import { workerOf } from "./ours.ts";
import { peersHere } from "./peers.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);

const pairs = Number(process.env["PAIRS"] ?? 5);
const absent = missing("skopeo", "docker-registry", "openssl", "bash", "tar");
if (absent !== false) throw new Error(absent);

const peers = peersHere();
say(`beside ${peers.here.map((peer) => `${peer.name} ${peer.version()}`).join(", ")}`);
if (peers.missing.length > 0)
  say(`not on the PATH, and so not measured: ${peers.missing.join(", ")}`);
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(LINES)) {
  const line = LINES[name];
  if (line === undefined)
    throw new Error(`no line \`${name}\`; there are ${Object.keys(LINES).join(", ")}`);
  say(`${name}: ${line.about}, ${pairs} rounds after a warm-up`);
  await run(line);
}

async function run(line: Line): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "transship-bench-"));
  try {
    await using service = await startService({
      workers: 1,
      ...(line.blobs !== undefined && { blobConcurrency: line.blobs }),
    });
    await using copies = await line.open(home, service, peers.here);
    const rounds: Round[] = [];
    for (let i = 0; i <= pairs; i++) {
      const round = await copies.round(i);
      if (i > 0) rounds.push(round);
      const costs = Object.entries(round).map(([name, cost]) => `${name} ${show(cost)}`);
      say(`  ${i === 0 ? "warm-up" : `round ${i}`}  ${costs.toSorted().join("  ")}`);
    }
    summarize(rounds, line.goal, peakMemoryOf(workerOf(service)));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function summarize(rounds: readonly Round[], goal: Goal | undefined, memory: number): void {
  const others = Object.keys(rounds[0] ?? {}).filter((name) => name !== "ours");
  for (const name of others.toSorted()) {
    const ratio = (of: keyof Cost) =>
      spread(rounds.map((round) => (round.ours[of] ?? 0) / (round[name]?.[of] ?? 0)));
    const size = rounds[0]?.ours.bytes === undefined ? "" : `, size ${ratio("bytes")}`;
    const aim =
      goal === undefined || name !== "skopeo"
        ? ""
        : `; goal ${goal.wall}${goal.cpu === undefined ? "" : `, cpu ${goal.cpu}`}`;
    say(
      `  ours / ${name}'s, median (least–most): wall ${ratio("wall")}, cpu ${ratio("cpu")}${size}${aim}`,
    );
  }
  const wall = Object.keys(rounds[0] ?? {}).map((name) => {
    const seconds = median(rounds.map((round) => round[name]?.wall ?? 0));
    return `${name} ${seconds.toFixed(2)} s`;
  });
  say(`  ${wall.toSorted().join(", ")}; the worker's peak memory ${memory.toFixed(0)} MiB`);
  summarizeRegistries(rounds);
}

/** They have the same cores: a copy cannot take less than what they alone need. */
function summarizeRegistries(rounds: readonly Round[]): void {
  if (rounds[0]?.ours.registries === undefined) return;
  const alone = (round: Round) => (round.ours.registries ?? 0) / availableParallelism();
  const seconds = median(rounds.map(({ ours }) => ours.registries ?? 0)).toFixed(2);
  const least = spread(rounds.map((round) => alone(round) / (round["skopeo"]?.wall ?? 0)));
  say(
    `  the registries' own processor time ${seconds} s: on ${availableParallelism()} cores that alone is ${least} of skopeo's wall`,
  );
}

function show({ wall, cpu, bytes }: Cost): string {
  const size = bytes === undefined ? "" : `, ${(bytes / 1e6).toFixed(1)} MB`;
  return `${wall.toFixed(2)} s, ${cpu.toFixed(2)} s cpu${size}`;
}
