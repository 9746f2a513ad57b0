// The short form of `npm run ssrf`, with loopback to listen on: each spelling at some places, each place with some spellings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DISGUISES, NEVER_REACHED, PRIVATE_SPELLINGS } from "../support/spellings.ts";
import { PLACES } from "./places.ts";
import { describe, OPEN, reachAll, refuseAll, startBench, STRICT, visitsTo } from "./proof.ts";

test("no spelling of a forbidden address is dialled, wherever it comes from", async (t) => {
  await using bench = await startBench();
  const { port } = bench.sentinel;
  const spellings = [...PRIVATE_SPELLINGS, ...NEVER_REACHED, "localhost", "LOCALHOST."];
  const urls = spellings.map((spelling) => `*://${spelling}:${port}/x`);
  const report = await refuseAll(visitsTo(urls, 11), bench);
  assert.deepEqual(report.faults, []);
  assert.deepEqual(bench.sentinel.heard, []);
  assert.ok((report.codes.get("host_denied") ?? 0) > report.visits / 2);
  t.diagnostic(describe(report));
});

test("an address that is disguised as another one, or of another scheme, is not dialled", async (t) => {
  await using bench = await startBench();
  const urls = DISGUISES.map((disguise) => disguise(bench.sentinel.port));
  const places = PLACES.filter(({ name }) => !name.startsWith("reference"));
  // A layer's url of another scheme is none, and a path goes on at the registry itself.
  const refusals = new Set([
    "host_denied",
    "registry_unavailable",
    "source_not_found",
    "manifest_invalid",
  ]);
  const report = await refuseAll(visitsTo(urls, 5, places), bench, refusals);
  assert.deepEqual(report.faults, []);
  assert.deepEqual(bench.sentinel.heard, []);
  t.diagnostic(describe(report));
});

test("control: at each place an address that is allowed is reached, and with the rule open so is loopback", async () => {
  await using bench = await startBench();
  const { port } = bench.sentinel;
  const allowed = await reachAll(visitsTo([`http://127.77.0.2:${port}/x`]), STRICT, bench);
  const open = await reachAll(visitsTo([`http://127.0.0.1:${port}/x`]), OPEN, bench);
  assert.deepEqual([...allowed.faults, ...open.faults], []);
  assert.equal(allowed.visits, PLACES.length);
});
