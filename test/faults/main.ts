// npm run faults: every fault at every request of a copy, in front of a registry in this process; a third of that in front of docker's own
// and crane's. Writes docs/faults.md if all was as it is promised, and ends 0 only then. `npm run faults -- crane blob` for some only, and
// those whole: a registry's name, and a part of a request's.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { missing, startCraneRegistry, startDockerRegistry } from "../support/peers.ts";
import {
  Bench,
  inProcess,
  pooledOnes,
  realOne,
  type RealRegistry,
  type Upstream,
} from "./bench.ts";
import { COLUMNS, isPlain, isPortable, nameOfColumn, type Column } from "./columns.ts";
import { runMatrix, type Cell, type Judged } from "./matrix.ts";
import { format, type Run } from "./report.ts";

const run = promisify(execFile);
const say = (line: string) => void process.stdout.write(`${line}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

interface Registry {
  readonly name: string;
  /** What it cannot be run without. */
  readonly program?: string;
  readonly start: () => Promise<Upstream>;
  readonly speaks?: "https";
  readonly has: (column: Column) => boolean;
  /** Ours: all cells. Elsewhere a third is enough, unless some only are asked for: each takes several times as long. */
  readonly isOwn: boolean;
}

const started = async (
  registry: Promise<{ readonly host: string } & AsyncDisposable>,
): Promise<RealRegistry> => {
  const one = await registry;
  return { host: one.host, stop: async () => await one[Symbol.asyncDispose]() };
};

const REGISTRIES: readonly Registry[] = [
  { name: "in-process", start: inProcess, has: () => true, isOwn: true },
  { name: "in-process, TLS", start: inProcess, speaks: "https", has: () => true, isOwn: true },
  {
    name: "docker-registry",
    program: "docker-registry",
    start: async () => realOne(await started(startDockerRegistry())),
    has: isPlain,
    isOwn: false,
  },
  {
    name: "crane",
    program: "crane",
    start: async () =>
      pooledOnes(await started(startCraneRegistry()), await started(startCraneRegistry())),
    // It has every blob in every repository: nothing is ever mounted.
    has: (column) => isPlain(column) && column.scenario.mounts !== true,
    isOwn: false,
  },
];

const [only = "", part = ""] = process.argv.slice(2);
/** Columns at once: cells mostly wait. Each lane has registries of its own. */
const LANES = 4;
const own: Judged[] = [];
const runs: Run[] = [];

/** A third of a column's cells, with each fault, each occurrence and each number of times among them. */
const oneOfThree = (index: number): boolean =>
  (index + Math.floor(index / 3) + Math.floor(index / 9)) % 3 === 0;

async function runLane(
  { name, start, speaks, isOwn }: Registry,
  columns: Iterator<Column, undefined>,
  tally: Run,
): Promise<void> {
  await using bench = await Bench.start(await start(), speaks);
  for (let next = columns.next(); !next.done; next = columns.next()) {
    const wants = ({ fault, column }: Cell, index: number) =>
      isOwn || (isPortable(fault, column) && (part !== "" || oneOfThree(index)));
    for await (const judged of runMatrix(bench, [next.value], wants)) {
      tally.cells++;
      if (judged.complaints.length > 0) tally.faulty++;
      for (const complaint of judged.complaints) say(`${name}: ${complaint}`);
      if (isOwn) own.push(judged);
    }
    const column = nameOfColumn(next.value);
    say(`${name}: ${column}; ${tally.cells} cells so far, ${tally.faulty} not as promised`);
  }
}

async function runRegistry(registry: Registry): Promise<void> {
  const { name, program, has } = registry;
  const absent = program !== undefined && missing(program);
  if (absent) return say(`${name}: ${absent}`);
  const tally: Run = { registry: name, cells: 0, faulty: 0 };
  runs.push(tally);
  const columns = COLUMNS.filter((column) => has(column) && nameOfColumn(column).includes(part));
  const shared = columns.values();
  await Promise.all(Array.from({ length: LANES }, () => runLane(registry, shared, tally)));
}

await Promise.all(REGISTRIES.filter(({ name }) => name.includes(only)).map(runRegistry));

const isWhole = only === "" && part === "";
const isGood = runs.every(({ faulty, cells }) => faulty === 0 && cells > 0);
if (isWhole && isGood) {
  const root = join(import.meta.dirname, "../..");
  await writeFile(join(root, "docs/faults.md"), format(own, runs));
  await run(process.execPath, ["node_modules/oxfmt/bin/oxfmt", "docs/faults.md"], { cwd: root });
}
for (const { registry, cells, faulty } of runs)
  say(`${registry}: ${cells} cells, ${faulty} not as promised`);
process.exitCode = isGood ? 0 : 1;
