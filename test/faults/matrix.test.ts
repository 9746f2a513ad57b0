// The short form of `npm run faults`: each fault at some requests, each request with some faults.

import assert from "node:assert/strict";
import { test } from "node:test";
import { missing, startDockerRegistry } from "../support/peers.ts";
import { Bench, inProcess, realOne, type Upstream } from "./bench.ts";
import { COLUMNS, isPlain, isPortable, nameOfColumn, type Column } from "./columns.ts";
import { FAULTS } from "./faults.ts";
import { runMatrix, type Cell, type Judged } from "./matrix.ts";

/** The first cell of each fault, and one of each so many. */
function each(every: number): (cell: Cell, index: number) => boolean {
  const seen = new Set<string>();
  const wants = sample(every);
  return (cell, index) => {
    if (seen.has(cell.name)) return wants(cell, index);
    return Boolean(seen.add(cell.name));
  };
}

/** One cell of each so many; those that few requests can meet come more often. */
const sample =
  (every: number) =>
  ({ name }: Cell, index: number): boolean =>
    index % (name.startsWith("reset, then") ? 5 : every) === 0;

/** Cells mostly wait: every fourth column in each of four lanes, with registries of its own. */
async function judgedIn(
  start: () => Promise<Upstream>,
  columns: readonly Column[],
  wants: (cell: Cell, index: number) => boolean,
  speaks?: "https",
): Promise<readonly Judged[]> {
  const lanes = [0, 1, 2, 3].map(async (lane) => {
    await using bench = await Bench.start(await start(), speaks);
    const own = columns.filter((_, index) => index % 4 === lane);
    return await Array.fromAsync(runMatrix(bench, own, wants));
  });
  return (await Promise.all(lanes)).flat();
}

test("a copy does under each fault what it promises, and shows nothing that is not whole", async (t) => {
  const judged = [
    ...(await judgedIn(inProcess, COLUMNS, each(29))),
    ...(await judgedIn(inProcess, COLUMNS, each(7), "https")),
  ];
  const of = (name: (cell: Cell) => string) => [...new Set(judged.map(({ cell }) => name(cell)))];
  assert.deepEqual(
    judged.flatMap(({ complaints }) => complaints),
    [],
  );
  assert.deepEqual(of(({ name }) => name).toSorted(), Object.keys(FAULTS).toSorted());
  assert.equal(of(({ column }) => nameOfColumn(column)).length, COLUMNS.length);
  t.diagnostic(`${judged.length} cells`);
});

test(
  "so it does in front of docker's own registry",
  { skip: missing("docker-registry") },
  async () => {
    const start = async () => {
      const registry = await startDockerRegistry();
      const stop = async () => await registry[Symbol.asyncDispose]();
      return await realOne({ host: registry.host, stop });
    };
    const wants = (cell: Cell, index: number) =>
      isPortable(cell.fault, cell.column) && sample(149)(cell, index);
    const judged = await judgedIn(start, COLUMNS.filter(isPlain), wants);
    assert.deepEqual(
      judged.flatMap(({ complaints }) => complaints),
      [],
    );
  },
);
