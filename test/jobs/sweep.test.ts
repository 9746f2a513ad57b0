import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { failed, started } from "../../src/jobs/job.ts";
import { problemOf } from "../../src/jobs/view.ts";
import { keys } from "../../src/jobs/redis.ts";
import { startSweep, sweep } from "../../src/jobs/sweep.ts";
import { Jobs } from "../../src/jobs/store.ts";
import type { JobQueue } from "../../src/jobs/queue.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { jobStore, SPEC, until, type JobStore } from "../support/jobs.ts";

const NOW = "2026-01-01T00:00:00.000Z";
const PROBLEM = problemOf(new CopyError("source_not_found", "404"), "/v1/jobs/x");

/** A process that dies between record and queue: its queue takes nothing. */
function dyingJobs({ redis }: JobStore): Jobs {
  const queue = { enqueue: () => Promise.reject(new Error("killed")) } as unknown as JobQueue;
  return new Jobs({ redis, queue, sealer: Sealer.parse("0".repeat(64)) });
}

/** As if the job had been looked at long ago. */
const due = ({ redis }: JobStore, id: string) => redis.zadd(keys.live, 1, id);

test("a job that was recorded and never queued is queued, two seconds after its order and not before", async () => {
  await using store = await jobStore();
  const { stored } = await dyingJobs(store).submit({ tenant: "t", spec: SPEC, secrets: {} });
  assert.equal(await store.queue.has(stored.record), false, "negative control");
  await sweep(store);
  assert.equal(await store.queue.has(stored.record), false);
  const [seconds = 0] = await store.redis.time();
  const score = Number(await store.redis.zscore(keys.live, stored.record.id));
  assert.ok(Math.abs(score - seconds * 1000) <= 4000, String(score));
  await due(store, stored.record.id);
  await sweep(store);
  assert.equal(await store.queue.has(stored.record), true);
});

test("a job that the queue has lost is queued again, waiting or active; one that it has is left alone", async () => {
  await using store = await jobStore();
  const [lost, active, kept] = [await store.submit(), await store.submit(), await store.submit()];
  await store.jobs.change(active.id, (record) =>
    started(record, { owner: "w", run: 1, attempt: 1, now: NOW }),
  );
  await store.queue.remove(lost);
  await store.queue.remove(active);
  await sweep(store);
  assert.equal(await store.queue.has(lost), false, "looked at a moment ago");
  for (const { id } of [lost, active, kept]) await due(store, id);
  await sweep(store);
  for (const record of [lost, active, kept]) {
    assert.equal(await store.queue.has(record), true);
    assert.ok(
      Number(await store.redis.zscore(keys.live, record.id)) > Date.now() + 30_000,
      "looked at again in a minute",
    );
  }
});

test("what is finished or gone leaves the set of live jobs", async () => {
  await using store = await jobStore();
  const { id } = await store.submit();
  await store.jobs.cancel("t", id);
  await due(store, id);
  await due(store, "0".repeat(26));
  await sweep(store);
  assert.equal(await store.redis.zcard(keys.live), 0);
});

test("a job that ended long ago is forgotten without a trace, others stay", async () => {
  await using store = await jobStore();
  const before = new Set(await store.redis.keys("*"));
  const old = await store.submit({ labels: { a: "b" } }, "t", { source: { registryToken: "x" } });
  const fresh = await store.submit();
  for (const { id } of [old, fresh])
    await store.jobs.change(id, (record) => failed(record, PROBLEM, NOW));
  const running = await store.submit();
  await store.redis.zadd(keys.finished, Date.now() - 8 * 24 * 3_600_000, old.id);
  await sweep(store);
  assert.equal(await store.jobs.load(old.id), undefined);
  assert.ok((await store.jobs.load(fresh.id)) && (await store.jobs.load(running.id)));
  assert.deepEqual((await store.jobs.list("t", {}, { limit: 9 })).items.length, 2);
  const left = (await store.redis.keys("*")).filter((key) => !before.has(key));
  assert.deepEqual(
    left.filter((key) => key.includes(`job:${old.id}`) || key.includes("label:a")),
    [],
  );
});

test("a job that runs again while it is being forgotten stays", async () => {
  await using store = await jobStore();
  const { id } = await store.submit();
  const read = await store.jobs.change(id, (record) => failed(record, PROBLEM, NOW));
  await store.jobs.retry("t", id);
  assert.equal(await store.jobs.forget(read!), false);
  assert.equal((await store.jobs.load(id))?.record.status, "queued");
});

test("sweeps of many processes repair by themselves, and only one of them at a time", async () => {
  await using store = await jobStore();
  const { stored } = await dyingJobs(store).submit({ tenant: "t", spec: SPEC, secrets: {} });
  await due(store, stored.record.id);
  const failures: unknown[] = [];
  const options = { ...store, everyMs: 50, failed: (error: unknown) => failures.push(error) };
  {
    await using _one = startSweep(options);
    await using _two = startSweep(options);
    await until("the job is queued", () => store.queue.has(stored.record));
  }
  assert.deepEqual(failures, []);
});
