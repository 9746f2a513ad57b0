// npm run faults: every fault at every request of a copy, in front of a registry in this process, docker's own, and crane's. Writes
// docs/faults.md if all was as it is promised, and ends 0 only then. `npm run faults -- crane blob` for some only: a registry's name, and
// a part of a request's.

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
import { COLUMNS, isPlain, nameOfColumn, type Column } from "./columns.ts";
import { runMatrix, type Judged } from "./matrix.ts";
import { format, type Run } from "./report.ts";

const run = promisify(execFile);
const say = (line: string) => void process.stdout.write(`${line}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

interface Registry {
  readonly name: string;
  /** What it cannot be run without. */
  readonly program?: string;
  readonly start: () => Promise<Upstream>;
  readonly has: (column: Column) => boolean;
}

const started = async (
  registry: Promise<{ readonly host: string } & AsyncDisposable>,
): Promise<RealRegistry> => {
  const one = await registry;
  return { host: one.host, stop: async () => await one[Symbol.asyncDispose]() };
};

const REGISTRIES: readonly Registry[] = [
  { name: "in-process", start: inProcess, has: () => true },
  {
    name: "docker-registry",
    program: "docker-registry",
    start: async () => realOne(await started(startDockerRegistry())),
    has: isPlain,
  },
  {
    name: "crane",
    program: "crane",
    start: async () =>
      pooledOnes(await started(startCraneRegistry()), await started(startCraneRegistry())),
    // It has every blob in every repository: nothing is ever mounted.
    has: (column) => isPlain(column) && column.scenario.mounts !== true,
  },
];

const [only = "", part = ""] = process.argv.slice(2);
const own: Judged[] = [];
const runs: Run[] = [];

for (const { name, program, start, has } of REGISTRIES) {
  if (!name.includes(only)) continue;
  const absent = program !== undefined && missing(program);
  if (absent) {
    say(`${name}: ${absent}`);
    continue;
  }
  const tally: Run = { registry: name, cells: 0, faulty: 0 };
  await using bench = await Bench.start(await start());
  const columns = COLUMNS.filter((column) => has(column) && nameOfColumn(column).includes(part));
  for (const column of columns) {
    for await (const judged of runMatrix(bench, [column])) {
      tally.cells++;
      if (judged.complaints.length > 0) tally.faulty++;
      for (const complaint of judged.complaints) say(complaint);
      if (name === "in-process") own.push(judged);
    }
    say(
      `${name}: ${nameOfColumn(column)}; ${tally.cells} cells so far, ${tally.faulty} not as promised`,
    );
  }
  runs.push(tally);
}

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
