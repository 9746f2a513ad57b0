// Connections to Redis, the names of our keys, and the one place that tells an outage from a mistake.

import { createHash } from "node:crypto";
import { Redis, type RedisOptions } from "ioredis";
import { CopyError } from "../errors.ts";

/** The braces put all our keys into one slot of a Redis cluster: our scripts touch several at once. */
export const PREFIX = "{transship}:";

/** Every key there is, but for BullMQ's and the semaphore's. */
export const keys = {
  workers: `${PREFIX}workers`,
  job: (id: string) => `${PREFIX}job:${id}`,
  events: (id: string) => `${PREFIX}job:${id}:events`,
  secrets: (id: string) => `${PREFIX}job:${id}:secrets`,
  manifest: (id: string) => `${PREFIX}job:${id}:manifest`,
  tenantJobs: (tenant: string) => `${PREFIX}tenant:${tenant}:jobs`,
  tenantStatus: (tenant: string, status: string) => `${PREFIX}tenant:${tenant}:status:${status}`,
  tenantLabel: (tenant: string, key: string, value: string) =>
    `${PREFIX}tenant:${tenant}:label:${key}:${value}`,
  tenantEvents: (tenant: string) => `${PREFIX}tenant:${tenant}:events`,
  tenantBlobs: (tenant: string) => `${PREFIX}tenant:${tenant}:blobs`,
  /** What is known of a blob; blob-info-scripts.ts makes more keys of it. */
  blob: (tenant: string, digest: string) => `${PREFIX}tenant:${tenant}:blob:${digest}`,
  /** An upload that may be gone on with; `of`: where and what. */
  upload: (tenant: string, of: string) => `${PREFIX}tenant:${tenant}:upload:${of}`,
  idempotency: (tenant: string, key: string) => `${PREFIX}idempotency:${tenant}:${key}`,
  /** What is known of a registry's limits; `name`: a fingerprint of host and credential. */
  pace: (name: string) => `${PREFIX}pace:${name}`,
  live: `${PREFIX}live`,
  finished: `${PREFIX}finished`,
  sweeper: `${PREFIX}sweeper`,
  bell: `${PREFIX}bell`,
} as const;

/** A hasty connection gives up on an answer after so long. */
const COMMAND_TIMEOUT_MS = 2000;

const KINDS = {
  patient: { maxRetriesPerRequest: null },
  hasty: { maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS },
} as const satisfies Record<string, RedisOptions>;

/**
 * A connection that reconnects by itself. "patient" waits for Redis to return (workers, subscribers); "hasty" fails at once (the
 * API's requests). `url`: a redis:// or rediss:// URL, or the path of a Unix socket.
 */
export function connect(url: string, kind: "patient" | "hasty"): Redis {
  const redis = new Redis(url, KINDS[kind]);
  // Without a listener the first lost connection would end the process. What was asked of it learns of the loss anyway.
  redis.on("error", () => {});
  return redis;
}

/** A Lua script. Redis runs it as one step, and its append-only file has all of its writes or none. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export const script = (lua: string): Script => ({
  lua,
  sha: createHash("sha1").update(lua).digest("hex"),
});

/** Runs a script, which is sent in full only if this Redis has not seen it yet. */
export async function evaluate(
  redis: Redis,
  { lua, sha }: Script,
  on: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, on.length, ...on, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await redis.eval(lua, on.length, ...on, ...args);
  }
}

/**
 * What Redis answered, or `service_unavailable` if it did not, or could not take a write. Errors of our own pass unchanged; so do
 * mistakes in a command or script, which are bugs.
 */
export async function available<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CopyError || !isOutage(error)) throw error;
    throw new CopyError(
      "service_unavailable",
      "the service's store does not answer",
      { retryAfterMs: COMMAND_TIMEOUT_MS },
      error,
    );
  }
}

/** Replies of a Redis that works, and yet cannot do it now: it loads its file, is full, is a replica, cannot write its disk. */
const REFUSALS =
  /^-?(LOADING|OOM|BUSY|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/;
/** ioredis has no class for these. */
const LOSSES = /^(Command timed out|Connection is closed|Stream isn't writeable)/;

function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "ReplyError") return REFUSALS.test(error.message);
  return (
    error.name === "MaxRetriesPerRequestError" ||
    error.name === "AbortError" ||
    "syscall" in error ||
    LOSSES.test(error.message)
  );
}
