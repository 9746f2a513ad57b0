import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Redis } from "ioredis";
import { connect, PREFIX } from "../../src/jobs/redis.ts";
import { RedisSemaphores } from "../../src/jobs/redis-semaphore.ts";
import { SingleFlight } from "../../src/jobs/single-flight.ts";
import { until } from "../support/jobs.ts";
import { emptyRedis } from "../support/redis.ts";

const NEVER = new AbortController().signal;
/** Short, for what happens when a lease lapses; and what a busy machine may add before a test takes it for the default of ten seconds. */
const LEASE_MS = 600;
const LEEWAY_MS = 3000;
const keyOf = (part: string) => `${PREFIX}semaphore:flight:blob:${part}`;
const PARTS = ["permits", "waiters", "leases"].map(keyOf);

interface Side extends AsyncDisposable {
  readonly redis: Redis;
  readonly semaphores: RedisSemaphores;
  readonly flight: SingleFlight;
  /** Ends its connections, as the death of its process would. */
  die(): void;
}

/** What one process has, in this one. */
function side(url: string, leaseMs = 10_000): Side {
  const redis = connect(url, "patient");
  const subscriber = connect(url, "patient");
  const semaphores = new RedisSemaphores({ redis, subscriber, leaseMs });
  const die = () => [redis, subscriber].forEach((connection) => connection.disconnect());
  const close = async () => {
    if (redis.status !== "end") await semaphores[Symbol.asyncDispose]();
    die();
  };
  const flight = new SingleFlight(semaphores, "blob");
  return { redis, semaphores, flight, die, [Symbol.asyncDispose]: close };
}

/** Leads until it is told to end. */
async function leading({ flight }: Side) {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const done = flight.lead(() => (begun.resolve(), end.promise), NEVER);
  await begun.promise;
  return { end: end.resolve, fail: end.reject, done };
}

const refused = () => assert.fail("this must not run");
const waiting = (redis: Redis, count: number) =>
  until(`${count} wait`, async () => (await redis.zcard(keyOf("waiters"))) === count);
const empty = (redis: Redis) =>
  until("nothing is left", async () => (await redis.exists(PARTS)) === 0);

test("while one leads no other does, and all who wait are let go when it has ended", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using two = side(url);
  const leader = await leading(one);
  for (const { flight } of [one, two]) assert.equal(await flight.lead(refused, NEVER), undefined);
  let ended = 0;
  const waits = Array.from({ length: 40 }, (_, n) =>
    (n % 2 ? one : two).flight.ended(NEVER).then(() => ended++),
  );
  await waiting(one.redis, waits.length);
  await setImmediate();
  assert.equal(ended, 0);
  leader.end("moved");
  assert.equal(await leader.done, "moved");
  await Promise.all(waits);
  await empty(one.redis);
  assert.equal(await two.flight.lead(async () => "again", NEVER), "again");
});

test("who waits where nobody leads is let go at once", async () => {
  await using one = side(await emptyRedis());
  await one.flight.ended(NEVER);
  await empty(one.redis);
});

test("who was refused leaves nothing behind, and is not let in later", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using two = side(url);
  const leader = await leading(one);
  assert.equal(await two.flight.lead(refused, NEVER), undefined);
  assert.deepEqual(await Promise.all(PARTS.map((key) => one.redis.zcard(key))), [1, 0, 0]);
  leader.end("");
  await leader.done;
  await empty(one.redis);
});

test("a leader that fails says so itself, and the next one may lead", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  await using two = side(url);
  const leader = await leading(one);
  const wait = two.flight.ended(NEVER);
  await waiting(one.redis, 1);
  leader.fail(new Error("broken"));
  await assert.rejects(leader.done, /broken/);
  await wait;
  assert.equal(await two.flight.lead(async () => "moved", NEVER), "moved");
});

test("a leader that dies is waited for no longer than a lease, and a third", async () => {
  const url = await emptyRedis();
  await using one = side(url, LEASE_MS);
  await using two = side(url, LEASE_MS);
  const leader = await leading(one);
  const wait = two.flight.ended(NEVER);
  await waiting(two.redis, 1);
  one.die();
  const died = performance.now();
  await wait;
  assert.ok(performance.now() - died < LEASE_MS + LEASE_MS / 3 + LEEWAY_MS);
  assert.equal(await two.flight.lead(async () => "moved", NEVER), "moved");
  leader.end("");
});

test("a leader that Redis took for dead goes on to its end", async () => {
  const url = await emptyRedis();
  await using one = side(url, LEASE_MS);
  await using two = side(url, LEASE_MS);
  const leader = await leading(one);
  await one.redis.del(PARTS);
  const other = await leading(two);
  other.end("");
  await other.done;
  leader.end("moved");
  assert.equal(await leader.done, "moved");
});

test("who gives up waiting, or is told to stop before it asks, leaves with the reason", async () => {
  const url = await emptyRedis();
  await using one = side(url);
  const leader = await leading(one);
  const stop = new AbortController();
  const wait = one.flight.ended(stop.signal);
  await waiting(one.redis, 1);
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(wait, reason);
  await assert.rejects(one.flight.lead(refused, stop.signal), reason);
  await waiting(one.redis, 0);
  leader.end("");
  await leader.done;
  await empty(one.redis);
});

/** Lets go of those who come as soon as two are there. */
function inPairs(): () => Promise<void> {
  let first: PromiseWithResolvers<void> | undefined;
  return async () => {
    if (first === undefined) await (first = Promise.withResolvers()).promise;
    else {
      first.resolve();
      first = undefined;
    }
  };
}

/** What the engine does with it: find, or lead, or wait and look again; the permit is given back before it waits. */
async function copies(url: string, flying: boolean) {
  await using one = side(url);
  await using two = side(url);
  const store = new Set<string>();
  // Without it the two permits are used by two who move: that both do so at once is waited for, not left to chance.
  const working = flying ? () => setImmediate() : inPairs();
  let [moves, failures] = [0, 2];
  const move = async () => {
    moves++;
    await working();
    if (failures-- > 0) throw new Error("broken");
    store.add("blob");
    return "moved" as const;
  };
  const copy = async ({ semaphores, flight }: Side): Promise<void> => {
    for (;;) {
      const outcome = await semaphores.get("blobs", 2).run(async (permitted) => {
        if (store.has("blob")) return "found";
        return flying ? await flight.lead(move, permitted) : await move();
      }, NEVER);
      if (outcome !== undefined) return;
      await flight.ended(NEVER);
    }
  };
  const ends = await Promise.allSettled(
    Array.from({ length: 60 }, (_, n) => copy(n % 2 ? one : two)),
  );
  const failed = ends.filter(({ status }) => status === "rejected").length;
  await empty(one.redis);
  return { moves, failed };
}

test("sixty copies of one blob under two permits move it once, and once more for each leader that failed", async () => {
  assert.deepEqual(await copies(await emptyRedis(), true), { moves: 3, failed: 2 });
});

test("negative control: without it, as many move it as there are permits", async () => {
  assert.deepEqual(await copies(await emptyRedis(), false), { moves: 4, failed: 2 });
});
