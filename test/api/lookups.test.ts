// How many lookups run at once, and for how long.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Lookups } from "../../src/api/lookups.ts";
import { RequestFault } from "../../src/api/problem.ts";
import { failure } from "../support/folders.ts";

const never = new AbortController().signal;
const asker = (tenant: string, signal = never) => ({ tenant, signal });

/** Ends when its signal aborts, with the signal's reason. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  await once(signal, "abort");
  throw signal.reason;
}

test("a tenant has eight at once, all tenants have sixteen", async () => {
  await using lookups = new Lookups();
  const stop = new AbortController();
  const running = ["a", "b"].flatMap((tenant) =>
    Array.from({ length: 8 }, () => lookups.run(asker(tenant, stop.signal), untilAborted)),
  );
  await assert.rejects(
    lookups.run(asker("c"), async () => 1),
    failure("service_unavailable"),
  );
  stop.abort();
  await Promise.allSettled(running);
  const more = new AbortController();
  const again = Array.from({ length: 8 }, () => lookups.run(asker("a", more.signal), untilAborted));
  await assert.rejects(
    lookups.run(asker("a"), async () => 1),
    failure("quota_exceeded"),
  );
  assert.equal(await lookups.run(asker("b"), async () => 1), 1);
  more.abort();
  await Promise.allSettled(again);
});

test("one that fails makes room as well", async () => {
  await using lookups = new Lookups();
  for (let i = 0; i < 20; i++)
    await assert.rejects(
      lookups.run(asker("a"), () => Promise.reject(new Error("broken"))),
      /broken/,
    );
});

test("one that takes too long ends with `timeout`", async () => {
  await using lookups = new Lookups();
  await assert.rejects(lookups.run(asker("a"), untilAborted, 0.02), failure("timeout", /0.02 s/));
});

test("one whose client goes away ends, and is no failure of the service", async () => {
  await using lookups = new Lookups();
  const left = new AbortController();
  const running = lookups.run(asker("a", left.signal), untilAborted);
  left.abort();
  await assert.rejects(running, RequestFault);
});

test("closing waits for what runs", async () => {
  const lookups = new Lookups();
  let ended = false;
  const left = new AbortController();
  const running = lookups.run(asker("a", left.signal), async (signal) => {
    await once(signal, "abort");
    await new Promise((resolve) => setImmediate(resolve));
    ended = true;
  });
  left.abort();
  await lookups[Symbol.asyncDispose]();
  assert.ok(ended);
  await running;
});
