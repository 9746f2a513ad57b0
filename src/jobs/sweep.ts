// Repairs what a crash left between our records and the queue, and forgets what is long over. Everything here may be done twice or
// by two processes at once: adding a job to the queue again, or deleting what is gone, changes nothing.

import { setTimeout } from "node:timers/promises";
import type { Redis } from "ioredis";
import { dueIn, markSeen } from "./commit.ts";
import { isFinal } from "./record.ts";
import type { JobQueue } from "./queue.ts";
import { keys } from "./redis.ts";
import type { Jobs } from "./store.ts";

export interface SweepOptions {
  readonly redis: Redis;
  readonly jobs: Jobs;
  readonly queue: JobQueue;
  /** One process of the cluster sweeps about this often. */
  readonly everyMs: number;
  /** Hears why a round was cut short; the next one tries again. */
  readonly failed?: (error: unknown) => void;
}

/** A finished job is kept for seven days. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
/** Of each kind, in one round: what is left over is due in the next one. */
const ROUND_LIMIT = 1000;

/**
 * Sweeps until it is disposed of, which waits for the round that runs: with hasty connections it ends soon even where Redis is
 * away.
 */
export function startSweep(options: SweepOptions): AsyncDisposable {
  const stop = new AbortController();
  const running = sweepUntil(stop.signal, options);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function sweepUntil(signal: AbortSignal, options: SweepOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      await setTimeout(options.everyMs, undefined, { signal });
      await sweepInTurn(options);
    } catch (error) {
      if (!signal.aborted) options.failed?.(error);
    }
  }
}

/** A round, unless another process had one a moment ago: the mark is not taken away, it lapses before the next round. */
async function sweepInTurn(options: SweepOptions): Promise<void> {
  const turn = await options.redis.set(
    keys.sweeper,
    "taken",
    "PX",
    Math.ceil(options.everyMs * 0.9),
    "NX",
  );
  if (turn === "OK") await sweep(options);
}

/** One round: every live job that is due is put into the queue if it is not there, every finished one that is old is removed. */
export async function sweep(
  options: Omit<SweepOptions, "everyMs" | "failed">,
  keptMs = KEPT_MS,
): Promise<void> {
  for (const id of await dueIn(options.redis, keys.live, 0, ROUND_LIMIT)) await repair(id, options);
  for (const id of await dueIn(options.redis, keys.finished, keptMs, ROUND_LIMIT)) {
    const stored = await options.jobs.load(id);
    if (stored === undefined) await options.redis.zrem(keys.finished, id);
    else if (isFinal(stored.record.status)) await options.jobs.forget(stored);
  }
}

/**
 * A worker writes the end of a job before it lets go of it in the queue: if the queue does not have it and the record, read after
 * that, is not final, then it was lost.
 */
async function repair(
  id: string,
  { redis, jobs, queue }: Omit<SweepOptions, "everyMs" | "failed">,
): Promise<void> {
  const before = await jobs.load(id);
  if (before !== undefined && !isFinal(before.record.status) && !(await queue.has(before.record))) {
    const after = await jobs.load(id);
    if (after !== undefined && !isFinal(after.record.status)) await queue.enqueue(after.record);
  }
  if (before === undefined || isFinal(before.record.status)) await redis.zrem(keys.live, id);
  else await markSeen(redis, id);
}
