import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import type { Event } from "../../src/jobs/events.ts";
import { failed, progressed, started, succeeded } from "../../src/jobs/job.ts";
import type { JobRecord } from "../../src/jobs/record.ts";
import { problemOf } from "../../src/jobs/view.ts";
import { keys } from "../../src/jobs/redis.ts";
import { jobStore, take, until, type JobStore } from "../support/jobs.ts";

const NOW = "2026-01-01T00:00:00.000Z";
const DIGEST = `sha256:${"0".repeat(64)}` as const;
const PROBLEM = problemOf(new CopyError("source_not_found", "404"), "/v1/jobs/x");
const RESULT = {
  sourceDigest: DIGEST,
  manifestDigest: DIGEST,
  manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
  signatures: 0,
  referrers: 0,
  skipped: false,
  durationMs: 1,
  bytesCopied: 1,
};

const patience = () => AbortSignal.timeout(15_000);
const ids = (events: readonly Event[]) => events.map(({ id }) => id);
const types = (events: readonly Event[]) => events.map(({ type }) => type);
const upTo = (n: number, from = 1) =>
  Array.from({ length: n - from + 1 }, (_, index) => String(index + from));

const begin = ({ jobs }: JobStore, { id }: JobRecord) =>
  jobs.change(id, (record) =>
    started(record, { owner: "w", run: record.run, attempt: 1, now: NOW }),
  );
const report = ({ jobs }: JobStore, { id }: JobRecord, ...messages: string[]) =>
  jobs.change(id, (record) =>
    progressed(
      record,
      record.progress,
      null,
      messages.map((message) => ({ type: "report", message })),
    ),
  );
const succeed = ({ jobs }: JobStore, { id }: JobRecord) =>
  jobs.change(id, (record) => succeeded(record, RESULT, NOW));
const fail = ({ jobs }: JobStore, { id }: JobRecord) =>
  jobs.change(id, (record) => failed(record, PROBLEM, NOW));

/** 1 queued, 2 active, 3 … lines, then succeeded. */
async function live(store: JobStore, record: JobRecord, lines = 7): Promise<void> {
  await begin(store, record);
  for (let line = 0; line < lines; line++) await report(store, record, `line ${line}`);
  await succeed(store, record);
}

test("readers who come before, in the middle and after see every event once, in order, and the stream ends", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  const read = () => take(store.events.ofJob(record.id, undefined, patience()));
  const before = [read(), read()];
  await begin(store, record);
  await report(store, record, "a", "b");
  const middle = read();
  await report(store, record, "c");
  await succeed(store, record);
  for (const events of await Promise.all([...before, middle, read()])) {
    assert.deepEqual(ids(events), upTo(6));
    assert.deepEqual(types(events), [
      "queued",
      "active",
      "report",
      "report",
      "report",
      "succeeded",
    ]);
    for (const { data } of events)
      assert.ok(data["jobId"] === record.id && !Number.isNaN(Date.parse(String(data["time"]))));
    assert.deepEqual(
      [events[2]!.data["message"], (events[5]!.data["job"] as { status: string }).status],
      ["a", "succeeded"],
    );
  }
});

test("a reader that is cut after any event and returns with its id misses and repeats nothing", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await live(store, record);
  for (let cut = 0; cut <= 10; cut++) {
    const first = await take(store.events.ofJob(record.id, undefined, patience()), cut);
    const rest = await take(store.events.ofJob(record.id, first.at(-1)?.id, patience()));
    assert.deepEqual(ids([...first, ...rest]), upTo(10), `cut after ${cut}`);
  }
});

test("a reader that is cut at every event of a running job has them all", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  const reading = (async () => {
    const all: Event[] = [];
    while (all.at(-1)?.type !== "succeeded")
      all.push(...(await take(store.events.ofJob(record.id, all.at(-1)?.id, patience()), 1)));
    return all;
  })();
  await live(store, record, 40);
  assert.deepEqual(ids(await reading), upTo(43));
});

test("more events than are read at once come all the same", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await begin(store, record);
  await report(store, record, ...Array.from({ length: 650 }, () => "x"));
  await succeed(store, record);
  assert.deepEqual(
    ids(await take(store.events.ofJob(record.id, undefined, patience()))),
    upTo(653),
  );
});

test("what is no id is treated as if nothing had been sent", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await live(store, record);
  for (const id of ["", "x", "-1", "1-0", "1.5", "9".repeat(40)]) {
    assert.deepEqual(ids(await take(store.events.ofJob(record.id, id, patience()))), upTo(10), id);
  }
});

test("where the past is no longer kept a snapshot stands for it, and the rest follows", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await begin(store, record);
  for (let line = 0; line < 7; line++) await report(store, record, "x");
  await store.redis.xtrim(keys.events(record.id), "MAXLEN", 3);
  for (const after of [undefined, "1", "5", "400"]) {
    const stop = new AbortController();
    const events = store.events.ofJob(record.id, after, AbortSignal.any([patience(), stop.signal]));
    const { value: first } = (await events.next()) as { value: Event };
    assert.deepEqual(
      [first.type, first.id, (first.data["job"] as { status: string }).status],
      ["snapshot", "9", "active"],
      `after ${after}`,
    );
    stop.abort();
    await events.next();
  }
  assert.deepEqual(
    ids(await take(store.events.ofJob(record.id, "6", patience()), 3)),
    ["7", "8", "9"],
    "kept: no snapshot",
  );
  const reading = take(store.events.ofJob(record.id, "2", patience()));
  await succeed(store, record);
  const got = await reading;
  assert.equal(got[0]?.type, "snapshot");
  assert.equal(got.at(-1)?.id, "10");
});

test("of a job whose events have lapsed there is a snapshot, and the stream ends", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await live(store, record);
  await store.redis.del(keys.events(record.id));
  const events = await take(store.events.ofJob(record.id, undefined, patience()));
  assert.deepEqual([types(events), ids(events)], [["snapshot"], ["10"]]);
  assert.deepEqual(await take(store.events.ofJob(record.id, "10", patience())), []);
});

test("a job that runs again goes on in the same stream", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await fail(store, record);
  const once = await take(store.events.ofJob(record.id, undefined, patience()));
  assert.deepEqual(types(once), ["queued", "failed"]);
  await store.jobs.retry("t", record.id);
  const reading = take(store.events.ofJob(record.id, "1", patience()));
  await begin(store, record);
  await succeed(store, record);
  assert.deepEqual(types(await reading), ["failed", "queued", "active", "succeeded"]);
});

test("a reader of a job that is not there ends at once", async () => {
  await using store = await jobStore();
  assert.deepEqual(await take(store.events.ofJob("0".repeat(26), undefined, patience())), []);
});

test("a reader whose signal aborts ends quietly", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  const stop = new AbortController();
  const reading = take(store.events.ofJob(record.id, "1", stop.signal));
  const tenant = take(store.events.ofTenant("t", undefined, stop.signal));
  stop.abort();
  assert.deepEqual([await reading, await tenant], [[], []]);
});

test("an event is told at once, by the bell, and not only when the reader looks by itself", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  const events = store.events.ofJob(record.id, "1", patience());
  const next = events.next();
  await until(
    "the reader listens",
    async () => Number((await store.redis.pubsub("NUMSUB", keys.bell))[1]) === 1,
  );
  const before = performance.now();
  await begin(store, record);
  await next;
  assert.ok(performance.now() - before < 2000);
  await events.return(undefined);
});

test("a tenant's stream has the changes of state of all its jobs and nobody else's, and totals once a second at most", async () => {
  await using store = await jobStore();
  const stop = new AbortController();
  const seen: Event[] = [];
  await store.submit();
  const reading = (async () => {
    for await (const event of store.events.ofTenant("t", undefined, stop.signal)) seen.push(event);
  })();
  await until("the reader has begun", async () => {
    await store.submit();
    return seen.length > 0;
  });
  const start = seen.length;
  await store.submit({}, "u");
  const record = await store.submit();
  await begin(store, record);
  for (let line = 0; line < 20; line++) await report(store, record, "x");
  await succeed(store, record);
  await until("the end was told", () => seen.at(-1)?.type === "succeeded");
  stop.abort();
  await reading;
  const mine = seen.filter(({ data }) => data["jobId"] === record.id);
  assert.deepEqual(
    types(mine),
    ["queued", "active", "active", "succeeded"],
    "one of the actives has totals",
  );
  for (const { data } of mine) assert.equal((data["job"] as { id: string }).id, record.id);
  assert.ok(
    seen.slice(start).every(({ data }) => data["job"] !== undefined),
    "no events of blobs",
  );
  const times = seen.map(({ id }) => id.split("-").map(Number) as [number, number]);
  for (let n = 1; n < times.length; n++)
    assert.ok(times[n]![0] > times[n - 1]![0] || times[n]![1] > times[n - 1]![1]);

  const again = await take(store.events.ofTenant("t", mine[0]!.id, patience()), 3);
  assert.deepEqual(ids(again), ids(mine.slice(1)), "from an id on");
});

test("a tenant's reader who missed what is no longer kept gets a snapshot of each job, and goes on after it", async () => {
  await using store = await jobStore();
  const first = await store.submit();
  const [{ id: old }] = (await take(store.events.ofTenant("t", "0-0", patience()), 1)) as [Event];
  const second = await store.submit();
  await succeed(store, first);
  const all = await take(store.events.ofTenant("t", old, patience()), 2);
  await store.redis.xtrim(keys.tenantEvents("t"), "MAXLEN", 1);
  for (const after of [old, "99999999999999-0"]) {
    const events = await take(store.events.ofTenant("t", after, patience()), 2);
    assert.deepEqual(types(events), ["snapshot", "snapshot"]);
    assert.deepEqual(
      events.map(({ data }) => (data["job"] as { id: string; status: string }).status),
      ["queued", "succeeded"],
    );
    assert.deepEqual(
      ids(events),
      [after, all.at(-1)!.id],
      "whoever is cut between them asks for all of them again",
    );
  }
  const reading = take(store.events.ofTenant("t", old, patience()), 3);
  await begin(store, second);
  assert.equal((await reading).at(-1)?.data["jobId"], second.id);
});
