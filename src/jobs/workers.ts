// Signs of life: which workers there are, for readiness and health checks. One sorted set, scored by when each sign lapses on Redis's
// clock: to count them costs the same however many jobs there are.

import type { Redis } from "ioredis";
import { available, evaluate, keys, script } from "./redis.ts";

/** A worker that has not been heard of for so long is taken for dead. */
const LAPSE_MS = 15_000;
/** How often it should be heard of. */
export const SIGN_EVERY_MS = 5000;

const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;
/** KEYS workers. ARGV name, ms. The worker is alive for so long; who lapsed is forgotten. */
const SIGN = script(`${NOW}redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])`);
/** KEYS workers. Reads: the names of those that are alive. */
const ALIVE = script(`${NOW}return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')`);

/** A name by which `onHost` finds the worker again. */
export const workerName = (host: string, unique: string): string => `${host}:${unique}`;

export const onHost = (workers: readonly string[], host: string): readonly string[] =>
  workers.filter((name) => name.startsWith(`${host}:`));

export async function giveSign(redis: Redis, name: string): Promise<void> {
  await evaluate(redis, SIGN, [keys.workers], [name, LAPSE_MS]);
}

/** The worker is no more. */
export async function takeLeave(redis: Redis, name: string): Promise<void> {
  await redis.zrem(keys.workers, name);
}

/** Throws `service_unavailable` if Redis does not answer. */
export async function livingWorkers(redis: Redis): Promise<readonly string[]> {
  return (await available(evaluate(redis, ALIVE, [keys.workers], []))) as string[];
}
