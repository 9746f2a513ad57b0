// A process that takes permits, and records what it does in Redis over a connection of its own: the tests' independent witness.
// Started by redis-semaphore.test.ts with fork(); the order is the first argument.

import { setImmediate, setTimeout } from "node:timers/promises";
import type { Semaphore } from "../../src/copy/interfaces.ts";
import { connect } from "../../src/jobs/redis.ts";
import { RedisSemaphores } from "../../src/jobs/redis-semaphore.ts";

export interface Order {
  /** The Redis of the semaphore, and the one to record in. */
  readonly url: string;
  readonly witness: string;
  readonly limit: number;
  readonly leaseMs: number;
  /** "crowd": so many tasks at once, again and again. "chunks": one task that works a chunk every 20 ms until its signal aborts. */
  readonly mode: "crowd" | "chunks";
  readonly tasks?: number;
  readonly runs?: number;
  /** Negative controls: no semaphore at all; a clock that never reaches a deadline. */
  readonly lawless?: boolean;
  readonly frozenClock?: boolean;
}

/** Sums what all processes hold at this moment, and keeps the highest sum. */
const ENTER = `redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local sum = 0
for _, weight in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + weight end
if sum > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], sum) end
redis.call('INCR', KEYS[3])`;

const order = JSON.parse(process.argv[2] ?? "") as Order;
if (order.frozenClock) performance.now = () => 0;
const redis = connect(order.url, "patient");
const subscriber = connect(order.url, "patient");
const witness = connect(order.witness, "patient");
const semaphores = new RedisSemaphores({ redis, subscriber, leaseMs: order.leaseMs });
const lawless: Semaphore = { run: (task, signal) => task(signal) };
const semaphore = order.lawless ? lawless : semaphores.get("blobs", order.limit);
const never = new AbortController().signal;

async function crowd(task: number): Promise<void> {
  for (let run = 0; run < (order.runs ?? Infinity); run++) {
    const weight = 1 + ((run + task) % 2);
    await semaphore.run(
      async () => {
        const field = `${process.pid}:${task}`;
        await witness.eval(
          ENTER,
          3,
          "witness:held",
          "witness:highest",
          "witness:entered",
          field,
          weight,
        );
        await setTimeout((run + task) % 4);
        await witness.hdel("witness:held", field);
      },
      never,
      weight,
    );
  }
}

async function chunks(): Promise<void> {
  await semaphore.run(async (signal) => {
    for (;;) {
      await setTimeout(20);
      // One turn of the loop, as bytes from a socket would take: timers that are due have run.
      await setImmediate();
      if (signal.aborted) break;
      await witness.xadd("witness:chunks", "*", "who", "child");
    }
    process.send?.(String(signal.reason));
  }, never);
}

if (order.mode === "chunks") await chunks();
else await Promise.all(Array.from({ length: order.tasks ?? 1 }, (_, task) => crowd(task)));
// What is not reachable any more keeps nobody.
const disposed = semaphores[Symbol.asyncDispose]();
await Promise.race([disposed, setTimeout(200, undefined, { ref: false })]);
process.exit(0);
