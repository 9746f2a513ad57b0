import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Redis } from "ioredis";
import { connect, PREFIX } from "../../src/jobs/redis.ts";
import { RedisSemaphores } from "../../src/jobs/redis-semaphore.ts";
import { freezingProxy } from "../support/freezing-proxy.ts";
import { until } from "../support/jobs.ts";
import { emptyRedis } from "../support/redis.ts";
import type { Order } from "../support/semaphore-process.ts";

const NEVER = new AbortController().signal;
/** Short, for what happens when a lease lapses; and what a busy machine may add before a test takes it for what it refutes. */
const LEASE_MS = 600;
const LEEWAY_MS = 3000;
const PARTS = ["permits", "waiters", "leases"].map((part) => `${PREFIX}semaphore:blobs:${part}`);

interface Side extends AsyncDisposable {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly semaphores: RedisSemaphores;
}

/** What one process has, in this one. */
function side(url: string, leaseMs = 10_000): Side {
  const redis = connect(url, "patient");
  const subscriber = connect(url, "patient");
  const semaphores = new RedisSemaphores({ redis, subscriber, leaseMs });
  return {
    redis,
    subscriber,
    semaphores,
    [Symbol.asyncDispose]: async () => {
      await semaphores[Symbol.asyncDispose]();
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

/** A task that holds its permit until it is told to end. */
function hold(at: Side, limit: number, weight = 1, signal: AbortSignal = NEVER, name = "blobs") {
  const begun = Promise.withResolvers<AbortSignal>();
  const end = Promise.withResolvers<void>();
  const state = {
    begun: false,
    whenBegun: begun.promise,
    end: end.resolve,
    done: Promise.resolve(),
  };
  const task = async (permit: AbortSignal) => {
    state.begun = true;
    begun.resolve(permit);
    await end.promise;
  };
  state.done = at.semaphores.get(name, limit).run(task, signal, weight);
  state.done.catch(() => {});
  return state;
}

const counts = (redis: Redis) => Promise.all(PARTS.map((key) => redis.zcard(key)));
const waiting = (redis: Redis, count: number) =>
  until(`${count} wait`, async () => (await redis.zcard(PARTS[1]!)) === count);
const empty = (redis: Redis) =>
  until("nothing is left", async () => (await redis.exists(PARTS)) === 0);

const spawn = (order: Order): ChildProcess =>
  fork(new URL("../support/semaphore-process.ts", import.meta.url), [JSON.stringify(order)]);

/** Starts processes and waits for their ends; returns the most weight that was ever held at once. */
async function crowd(url: string, redis: Redis, order: Partial<Order>): Promise<number> {
  const children = Array.from({ length: 4 }, () =>
    spawn({
      url,
      witness: url,
      limit: 3,
      leaseMs: 2000,
      mode: "crowd",
      tasks: 5,
      runs: 40,
      ...order,
    }),
  );
  for (const [code] of await Promise.all(children.map((child) => once(child, "exit"))))
    assert.equal(code, 0);
  assert.equal(await redis.get("witness:entered"), String(4 * 5 * 40));
  return Number(await redis.get("witness:highest"));
}

test("four processes never hold more than the limit together, and leave nothing behind", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  assert.equal(await crowd(url, one.redis, {}), 3);
  await empty(one.redis);
});

test("negative control: without the semaphore the witness sees more than the limit", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  assert.ok((await crowd(url, one.redis, { lawless: true })) > 3);
});

test("processes that are killed at random leave permits that return within a lease, and never more than the limit is held", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  const start = () =>
    spawn({ url, witness: url, limit: 3, leaseMs: LEASE_MS, mode: "crowd", tasks: 4 });
  const bury = async (child: ChildProcess) => {
    child.kill("SIGKILL");
    await once(child, "exit");
    const fields = Array.from({ length: 4 }, (_, task) => `${child.pid}:${task}`);
    await one.redis.hdel("witness:held", ...fields);
  };
  const children = Array.from({ length: 4 }, start);
  for (let kills = 0; kills < 25; kills++) {
    const before = Number(await one.redis.get("witness:entered"));
    await until(
      "work goes on",
      async () => Number(await one.redis.get("witness:entered")) > before + 5,
    );
    const victim = Math.floor(Math.random() * children.length);
    await bury(children[victim]!);
    children[victim] = start();
  }
  await using last = side(url, LEASE_MS);
  const alone = hold(last, 3, 3);
  await Promise.all(children.map(bury));
  const killed = performance.now();
  await alone.whenBegun;
  const free = performance.now() - killed;
  alone.end();
  assert.ok(
    free < LEASE_MS + LEASE_MS / 3 + LEEWAY_MS,
    `all permits were free after ${Math.round(free)} ms: a lease, and a third until a waiter looks`,
  );
  assert.equal(await one.redis.get("witness:highest"), "3");
  await empty(one.redis);
});

/**
 * A process works under the only permit, then cannot renew it, and nobody can tell it: it is cut off from Redis, and perhaps stopped
 * besides, until another has the permit. Returns how many chunks it did after that, and what ended it ("" if nothing did).
 */
async function loseLease(
  also: "runs" | "stops",
  order: Partial<Order> = {},
): Promise<{ late: number; reason: string }> {
  const url = await emptyRedis();
  await using other = side(url, LEASE_MS);
  await using proxy = await freezingProxy(url);
  const child = spawn({
    url: proxy.url,
    witness: url,
    limit: 1,
    leaseMs: LEASE_MS,
    mode: "chunks",
    ...order,
  });
  const ended = once(child, "exit");
  let reason = "";
  child.on("message", (message: string) => (reason = message));
  const chunks = () => other.redis.xlen("witness:chunks");
  await until("the process works", async () => (await chunks()) > 3);
  const next = hold(other, 1);
  await waiting(other.redis, 1);
  const before = await chunks();
  await until("a chunk was just done", async () => (await chunks()) > before);
  proxy.freeze();
  if (also === "stops") child.kill("SIGSTOP");
  await next.whenBegun;
  await other.redis.xadd("witness:chunks", "*", "who", "other");
  child.kill("SIGCONT");
  await Promise.race([ended, setTimeout(1000, undefined, { ref: false })]);
  child.kill("SIGKILL");
  await ended;
  next.end();
  await next.done;
  const entries = (await other.redis.xrange("witness:chunks", "-", "+")).map(
    ([, fields]) => fields[1],
  );
  return { late: entries.slice(entries.indexOf("other") + 1).length, reason };
}

for (const also of ["runs", "stops"] as const) {
  test(`a holder that is cut off from Redis and ${also} does nothing more once another has its permit`, async () => {
    assert.deepEqual(await loseLease(also), { late: 0, reason: "CopyError: the permit was lost" });
  });

  test(`negative control: a holder without its own deadline that is cut off and ${also} works on beside the next one`, async () => {
    const { late, reason } = await loseLease(also, { frozenClock: true });
    assert.ok(late > 3);
    assert.equal(reason, "");
  });
}

test("permits are given in the order in which they were asked for, in the whole cluster", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using two = side(url);
  const first = hold(one, 1);
  await first.whenBegun;
  const order: number[] = [];
  const holds = [];
  for (let index = 0; index < 8; index++) {
    const waiter = hold(index % 3 ? one : two, 1);
    void waiter.whenBegun.then(() => order.push(index));
    holds.push(waiter);
    await waiting(one.redis, index + 1);
  }
  for (const held of [first, ...holds]) {
    await held.whenBegun;
    held.end();
  }
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  await empty(one.redis);
});

test("a light task that would fit does not pass a heavy one that came before it", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using two = side(url);
  const first = hold(one, 2);
  await first.whenBegun;
  const heavy = hold(two, 2, 2);
  await waiting(one.redis, 1);
  const light = hold(one, 2);
  await waiting(one.redis, 2);
  first.end();
  await heavy.whenBegun;
  assert.deepEqual([light.begun, await counts(one.redis)], [false, [1, 1, 1]]);
  heavy.end();
  await light.whenBegun;
  light.end();
  await empty(one.redis);
});

test("a task that weighs more than the limit runs alone", async () => {
  await using one = side(await emptyRedis());
  const light = hold(one, 3);
  await light.whenBegun;
  const heavy = hold(one, 3, 100);
  await waiting(one.redis, 1);
  light.end();
  await heavy.whenBegun;
  const next = hold(one, 3);
  await waiting(one.redis, 1);
  heavy.end();
  await next.whenBegun;
  next.end();
});

test("a waiter that gives up leaves, lets those behind it pass, and its task never runs", async () => {
  await using one = side(await emptyRedis());
  const first = hold(one, 2);
  await first.whenBegun;
  const stop = new AbortController();
  const heavy = hold(one, 2, 2, stop.signal);
  await waiting(one.redis, 1);
  const light = hold(one, 2);
  await waiting(one.redis, 2);
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(heavy.done, reason);
  await light.whenBegun;
  assert.deepEqual(await counts(one.redis), [2, 0, 0]);
  assert.equal(heavy.begun, false);
  await assert.rejects(hold(one, 2, 1, stop.signal).done, reason);
  first.end();
  light.end();
  await empty(one.redis);
});

test("a permit returns when its task throws, and the task's signal aborts with the caller's", async () => {
  await using one = side(await emptyRedis());
  const semaphore = one.semaphores.get("blobs", 1);
  await assert.rejects(
    semaphore.run(() => Promise.reject(new Error("broken")), NEVER),
    /broken/,
  );
  const stop = new AbortController();
  const held = hold(one, 1, 1, stop.signal);
  const permit = await held.whenBegun;
  stop.abort(new Error("stop"));
  assert.equal((permit.reason as Error).message, "stop");
  held.end();
  await empty(one.redis);
});

test("each call goes by its own limit, and semaphores of other names are apart", async () => {
  await using one = side(await emptyRedis());
  const holds = [hold(one, 1), hold(one, 1, 1, NEVER, "layout")];
  await Promise.all(holds.map(({ whenBegun }) => whenBegun));
  const waiter = hold(one, 1);
  await waiting(one.redis, 1);
  const roomy = hold(one, 3);
  await roomy.whenBegun;
  await waiter.whenBegun;
  for (const held of [...holds, waiter, roomy]) held.end();
  await empty(one.redis);
});

test("a grant whose message was lost is found at the next renewal, and a held permit lives on over many leases", async () => {
  const url = await emptyRedis();
  await using one = side(url, LEASE_MS);
  await using deaf = side(url, LEASE_MS);
  const first = hold(one, 1);
  const permit = await first.whenBegun;
  deaf.subscriber.disconnect();
  const waiter = hold(deaf, 1);
  await setTimeout(3 * LEASE_MS);
  assert.deepEqual(
    [permit.aborted, waiter.begun, await counts(one.redis)],
    [false, false, [1, 1, 1]],
  );
  first.end();
  const before = performance.now();
  await waiter.whenBegun;
  assert.ok(performance.now() - before < LEEWAY_MS);
  waiter.end();
});

test("a holder whose permit Redis has forgotten is aborted, a waiter that was forgotten asks again", async () => {
  await using one = side(await emptyRedis(), LEASE_MS);
  const first = hold(one, 1);
  const permit = await first.whenBegun;
  const waiter = hold(one, 1);
  await waiting(one.redis, 1);
  await one.redis.del(PARTS);
  await waiter.whenBegun;
  assert.deepEqual(
    [permit.aborted, (permit.reason as Error).message],
    [true, "the permit was lost"],
  );
  first.end();
  waiter.end();
});

test("a task that ends while Redis is away is not kept from ending", async () => {
  const url = await emptyRedis();
  await using proxy = await freezingProxy(url);
  await using one = side(proxy.url, LEASE_MS);
  const held = hold(one, 1);
  await held.whenBegun;
  proxy.freeze();
  held.end();
  const before = performance.now();
  await held.done;
  assert.ok(performance.now() - before < LEEWAY_MS);
  await using two = side(url, LEASE_MS);
  const next = hold(two, 1);
  await next.whenBegun;
  next.end();
});

test("a grant that is heard before the answer to the question stays good when that answer comes", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using proxy = await freezingProxy(url);
  await using direct = side(url);
  await using cut = side(proxy.url);
  await using semaphores = new RedisSemaphores({ redis: cut.redis, subscriber: direct.subscriber });
  const asks = { ...direct, semaphores };
  const warm = hold(asks, 2);
  await warm.whenBegun;
  const first = hold(one, 2);
  await first.whenBegun;
  proxy.silence();
  const waiter = hold(asks, 2);
  await waiting(one.redis, 1);
  first.end();
  const permit = await waiter.whenBegun;
  proxy.answer();
  await cut.redis.ping();
  assert.equal(permit.aborted, false);
  warm.end();
  waiter.end();
  await empty(one.redis);
});
