// The short form of `npm run faults`: each fault at some requests, each request with some faults.

import assert from "node:assert/strict";
import { test } from "node:test";
import { missing, startDockerRegistry } from "../support/peers.ts";
import { Bench, inProcess, realOne } from "./bench.ts";
import { COLUMNS, isPlain, isPortable, nameOfColumn } from "./columns.ts";
import { FAULTS } from "./faults.ts";
import { runMatrix, type Cell } from "./matrix.ts";

/** One cell of each so many; those that few requests can meet come more often. */
const sample =
  (every: number) =>
  ({ name }: Cell, index: number): boolean =>
    index % (name.startsWith("reset, then") ? 5 : every) === 0;

test("a copy does under each fault what it promises, and shows nothing that is not whole", async (t) => {
  await using bench = await Bench.start(await inProcess());
  const [faults, columns] = [new Set<string>(), new Set<string>()];
  const complaints: string[] = [];
  let cells = 0;
  for await (const { cell, ...judged } of runMatrix(bench, COLUMNS, sample(29))) {
    cells++;
    faults.add(cell.name);
    columns.add(nameOfColumn(cell.column));
    complaints.push(...judged.complaints);
  }
  assert.deepEqual(complaints, []);
  assert.deepEqual([...faults].toSorted(), Object.keys(FAULTS).toSorted());
  assert.equal(columns.size, COLUMNS.length);
  t.diagnostic(`${cells} cells`);
});

test(
  "so it does in front of docker's own registry",
  { skip: missing("docker-registry") },
  async () => {
    const registry = await startDockerRegistry();
    const stop = async () => await registry[Symbol.asyncDispose]();
    await using bench = await Bench.start(await realOne({ host: registry.host, stop }));
    const complaints: string[] = [];
    const wants = (cell: Cell, index: number) =>
      isPortable(cell.fault, cell.column) && sample(149)(cell, index);
    for await (const judged of runMatrix(bench, COLUMNS.filter(isPlain), wants))
      complaints.push(...judged.complaints);
    assert.deepEqual(complaints, []);
  },
);
