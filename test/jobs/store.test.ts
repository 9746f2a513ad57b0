import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Redis } from "ioredis";
import { CopyError } from "../../src/errors.ts";
import { failed, progressed, started, succeeded } from "../../src/jobs/job.ts";
import type { JobRecord } from "../../src/jobs/record.ts";
import { problemOf } from "../../src/jobs/view.ts";
import { JobQueue } from "../../src/jobs/queue.ts";
import { connect, keys } from "../../src/jobs/redis.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { Jobs } from "../../src/jobs/store.ts";
import { startRedis } from "../../src/start/redis-server.ts";
import { jobStore, SPEC, take, type JobStore } from "../support/jobs.ts";

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

const begin = (record: JobRecord) =>
  started(record, { owner: "w", run: record.run, attempt: 1, now: NOW });
const begun = ({ jobs }: JobStore, { id }: JobRecord) => jobs.change(id, begin);
const fail = ({ jobs }: JobStore, { id }: JobRecord) =>
  jobs.change(id, (record) => failed(record, PROBLEM, NOW));

test("a submitted job is recorded, has its first event, and is in the queue", async () => {
  await using store = await jobStore();
  const { stored, replayed } = await store.jobs.submit({ tenant: "t", spec: SPEC, secrets: {} });
  assert.equal(replayed, false);
  assert.deepEqual(await store.jobs.get("t", stored.record.id), stored);
  assert.equal(stored.record.status, "queued");
  const [event] = await take(
    store.events.ofJob(stored.record.id, undefined, AbortSignal.timeout(5000)),
    1,
  );
  assert.deepEqual(
    [event?.id, event?.type, event?.data["jobId"]],
    ["1", "queued", stored.record.id],
  );
  assert.equal(await store.queue.has(stored.record), true);
});

test("a hundred requests with one idempotency key at once are one job", async () => {
  await using store = await jobStore();
  const order = { tenant: "t", spec: SPEC, secrets: {}, idempotency: { key: "k", digest: "d" } };
  const answers = await Promise.all(Array.from({ length: 100 }, () => store.jobs.submit(order)));
  assert.equal(new Set(answers.map(({ stored }) => stored.record.id)).size, 1);
  assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
  assert.equal((await store.jobs.list("t", {}, { limit: 10 })).items.length, 1);
  // Negative control: without a key each is a job.
  await Promise.all(Array.from({ length: 10 }, () => store.submit()));
  assert.equal((await store.jobs.list("t", {}, { limit: 50 })).items.length, 11);
});

test("an idempotency key belongs to one request of one tenant", async () => {
  await using store = await jobStore();
  const order = { tenant: "t", spec: SPEC, secrets: {}, idempotency: { key: "k", digest: "d" } };
  const first = await store.jobs.submit(order);
  await assert.rejects(store.jobs.submit({ ...order, idempotency: { key: "k", digest: "e" } }), {
    code: "idempotency_key_reused",
  });
  const other = await store.jobs.submit({ ...order, tenant: "u" });
  assert.notEqual(other.stored.record.id, first.stored.record.id);
  const lapse = await store.redis.pttl(keys.idempotency("t", "k"));
  assert.ok(lapse > 23 * 3_600_000 && lapse <= 24 * 3_600_000);
});

test("fifty changers at once lose nothing, and the events are 1 to n", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  await begun(store, record);
  await Promise.all(
    Array.from({ length: 50 }, (_, number) =>
      store.jobs.change(record.id, (now) =>
        progressed(now, { ...now.progress, bytesDone: now.progress.bytesDone + 1 }, null, [
          { type: "report", message: String(number) },
        ]),
      ),
    ),
  );
  const after = await store.jobs.load(record.id);
  assert.equal(after?.record.progress.bytesDone, 50);
  assert.equal(after?.rev, 52);
  const events = await take(
    store.events.ofJob(record.id, undefined, AbortSignal.timeout(5000)),
    52,
  );
  assert.deepEqual(
    events.map(({ id }) => Number(id)),
    Array.from({ length: 52 }, (_, index) => index + 1),
  );
  const told = events.slice(2).map(({ data }) => Number(data["message"]));
  assert.deepEqual(
    told.sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test("a change that has nothing to do writes nothing", async () => {
  await using store = await jobStore();
  const record = await store.submit();
  assert.equal(await store.jobs.change(record.id, () => undefined), undefined);
  assert.equal((await store.jobs.load(record.id))?.rev, 1);
  assert.equal(await store.jobs.change("0".repeat(26), begin), undefined);
});

test("lists are newest first, in pages, and filtered", async () => {
  await using store = await jobStore();
  const records: JobRecord[] = [];
  for (let n = 0; n < 7; n++) {
    records.push(
      await store.submit({
        source: `docker://a.example/${n % 2 ? "odd" : "even"}:${n}`,
        labels: { team: n < 3 ? "red" : "blue:1" },
      }),
    );
  }
  const ids = records.map(({ id }) => id).reverse();
  const all: string[] = [];
  let pages = 0;
  for (let cursor: string | null | undefined; cursor !== null; pages++) {
    const page = await store.jobs.list("t", {}, { limit: 3, ...(cursor && { cursor }) });
    all.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  assert.deepEqual(all, ids);
  assert.equal(pages, 3);

  await begun(store, records[1]!);
  const found = async (filter: Parameters<typeof store.jobs.list>[1]) =>
    (await store.jobs.list("t", filter, { limit: 50 })).items.map((record) =>
      records.findIndex(({ id }) => id === record.id),
    );
  assert.deepEqual(await found({ status: "active" }), [1]);
  assert.deepEqual(await found({ status: "queued" }), [6, 5, 4, 3, 2, 0]);
  assert.deepEqual(await found({ label: { key: "team", value: "red" } }), [2, 1, 0]);
  assert.deepEqual(
    await found({ label: { key: "team", value: "blue:1" }, source: "docker://a.example/odd" }),
    [5, 3],
  );
  assert.deepEqual(await found({ label: { key: "team", value: "red" }, status: "queued" }), [2, 0]);
  assert.deepEqual(await found({ destination: "docker://elsewhere" }), []);
});

test("a page is looked for in two thousand jobs at most, and the next one goes on there", async () => {
  await using store = await jobStore();
  const rare = await store.submit({ source: "docker://rare.example/app" });
  for (let n = 0; n < 23; n++) await Promise.all(Array.from({ length: 100 }, () => store.submit()));
  const first = await store.jobs.list("t", { source: "docker://rare" }, { limit: 5 });
  assert.deepEqual(first.items, []);
  const second = await store.jobs.list(
    "t",
    { source: "docker://rare" },
    { limit: 5, cursor: first.nextCursor! },
  );
  assert.deepEqual([second.items.map(({ id }) => id), second.nextCursor], [[rare.id], null]);
});

for (const cursor of [
  "",
  "x",
  "../..",
  Buffer.from("0".repeat(25)).toString("base64url"),
  `${Buffer.from("0".repeat(26)).toString("base64url")}=`,
]) {
  test(`${JSON.stringify(cursor)} is no cursor`, async () => {
    await using store = await jobStore();
    await assert.rejects(store.jobs.list("t", {}, { limit: 1, cursor }), (error: CopyError) => {
      assert.equal(error.code, "invalid_request");
      assert.equal(error.context.errors?.[0]?.pointer, "/cursor");
      return true;
    });
  });
}

test("a tenant sees, cancels and retries only its own jobs", async () => {
  await using store = await jobStore();
  const { id } = await store.submit();
  assert.equal(await store.jobs.get("u", id), undefined);
  assert.equal(await store.jobs.cancel("u", id), undefined);
  assert.equal(await store.jobs.retry("u", id), undefined);
  assert.equal(await store.jobs.manifest("u", id), undefined);
  assert.deepEqual((await store.jobs.list("u", {}, { limit: 5 })).items, []);
  assert.equal((await store.jobs.get("t", id))?.rev, 1);
  for (const wrong of ["", "x", `${id}:secrets`, `${id}:events`])
    assert.equal(await store.jobs.get("t", wrong), undefined);
});

test("a queued job is canceled at once and leaves the queue, a running one learns of it, a finished one stays", async () => {
  await using store = await jobStore();
  const waiting = await store.submit();
  assert.equal((await store.jobs.cancel("t", waiting.id))?.record.status, "canceled");
  assert.equal(await store.queue.has(waiting), false);
  assert.equal((await store.jobs.cancel("t", waiting.id))?.record.status, "canceled");

  const running = await store.submit();
  await begun(store, running);
  const after = await store.jobs.cancel("t", running.id);
  assert.deepEqual([after?.record.status, after?.record.cancelRequested], ["active", true]);
});

test("a failed job runs again with its secrets, a succeeded one does not, one whose secrets lapsed does not either", async () => {
  await using store = await jobStore();
  const secrets = { source: { username: "u", password: "p" } };
  const record = await store.submit({}, "t", secrets);
  await begun(store, record);
  await assert.rejects(store.jobs.retry("t", record.id), { code: "conflict" });
  await fail(store, record);
  assert.ok(
    (await store.redis.pttl(keys.secrets(record.id))) > 0,
    "the secrets of a failed job lapse",
  );
  const again = await store.jobs.retry("t", record.id);
  assert.deepEqual(
    [again?.record.status, again?.record.run, await store.queue.has(again!.record)],
    ["queued", 2, true],
  );
  assert.deepEqual(await store.jobs.secrets(again!.record), secrets);
  assert.deepEqual(
    await Promise.all(
      [keys.secrets(record.id), keys.events(record.id)].map((key) => store.redis.pttl(key)),
    ),
    [-1, -1],
  );
  assert.equal(await store.redis.zscore(keys.finished, record.id), null);

  await fail(store, record);
  await store.redis.del(keys.secrets(record.id));
  await assert.rejects(store.jobs.retry("t", record.id), { code: "conflict" });

  const plain = await store.submit();
  await fail(store, plain);
  assert.equal(
    (await store.jobs.retry("t", plain.id))?.record.status,
    "queued",
    "a job that had no secrets needs none",
  );
  await store.jobs.change(plain.id, (now) => succeeded(now, RESULT, NOW));
  await assert.rejects(store.jobs.retry("t", plain.id), { code: "conflict" });
});

test("a job's manifest is kept byte by byte, and its secrets end with its success", async () => {
  await using store = await jobStore();
  const record = await store.submit({}, "t", { source: { registryToken: "r" } });
  const bytes = randomBytes(1000);
  assert.equal(await store.jobs.manifest("t", record.id), undefined);
  await store.jobs.change(record.id, (now) => succeeded(now, RESULT, NOW), {
    manifest: { bytes, mediaType: RESULT.manifestMediaType },
  });
  assert.deepEqual(await store.jobs.manifest("t", record.id), {
    bytes,
    mediaType: RESULT.manifestMediaType,
  });
  assert.equal(await store.redis.exists(keys.secrets(record.id)), 0);
  assert.ok((await store.redis.pttl(keys.events(record.id))) > 0, "the events lapse");
  assert.equal(await store.redis.zscore(keys.live, record.id), null);
});

/** Everything that Redis holds, as text. */
async function dump(redis: Redis): Promise<string> {
  const readers: Record<string, (key: string) => Promise<unknown>> = {
    hash: (key) => redis.hgetall(key),
    stream: (key) => redis.xrange(key, "-", "+"),
    zset: (key) => redis.zrange(key, "0", "-1"),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    string: (key) => redis.get(key),
  };
  const keysAndValues = (await redis.keys("*")).map(async (key) => [
    key,
    await readers[await redis.type(key)]!(key),
  ]);
  return JSON.stringify(await Promise.all(keysAndValues));
}

test("no secret is in Redis in the clear, in whatever state the job is", async () => {
  await using store = await jobStore();
  const secrets = {
    source: { username: "marked-user", password: "marked-secret" },
    destination: { identityToken: "marked-token" },
  };
  const record = await store.submit({ labels: { found: "marked-label" } }, "t", secrets);
  await begun(store, record);
  await fail(store, record);
  await store.jobs.retry("t", record.id);
  const all = await dump(store.redis);
  for (const secret of [
    "marked-user",
    "marked-secret",
    "marked-token",
    btoa("marked-user:marked-secret"),
  ])
    assert.ok(!all.includes(secret), secret);
  assert.ok(all.includes("marked-label"), "negative control");
  assert.deepEqual(await store.jobs.secrets(record), secrets);
});

test("while Redis is away the hasty side says service_unavailable at once, and works again when it is back", async () => {
  const dir = await mkdtemp(join(tmpdir(), "transship-test-"));
  const server = await startRedis({ dir, appendfsync: "no" });
  const redis = connect(server.url, "hasty");
  const queue = new JobQueue(server.url, "hasty");
  const jobs = new Jobs({ redis, queue, sealer: Sealer.parse("0".repeat(64)) });
  const submit = () => jobs.submit({ tenant: "t", spec: SPEC, secrets: {} });
  const submitted = async () => {
    for (let n = 0; n < 200; n++) {
      try {
        return await submit();
      } catch (error) {
        assert.equal(
          (error as CopyError).code,
          "service_unavailable",
          String((error as CopyError).stack),
        );
        await new Promise((wake) => setTimeout(wake, 25));
      }
    }
    throw new Error("Redis never came back");
  };
  const { stored } = await submitted();
  process.kill(server.pid, "SIGSTOP");
  const asked = performance.now();
  await assert.rejects(submit(), { code: "service_unavailable" });
  assert.ok(
    performance.now() - asked < 2500,
    "within two seconds even where the connection stays open",
  );
  process.kill(server.pid, "SIGCONT");
  await server[Symbol.asyncDispose]();
  const before = performance.now();
  await assert.rejects(submit(), { code: "service_unavailable" });
  await assert.rejects(jobs.get("t", stored.record.id), { code: "service_unavailable" });
  await assert.rejects(jobs.list("t", {}, { limit: 1 }), { code: "service_unavailable" });
  assert.ok(performance.now() - before < 2500, "at once");
  const back = await startRedis({ dir, appendfsync: "no" });
  await submitted();
  assert.deepEqual(
    await jobs.get("t", stored.record.id),
    stored,
    "what was accepted is still there",
  );
  await queue[Symbol.asyncDispose]();
  redis.disconnect();
  await back[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
