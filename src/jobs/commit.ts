// The calls of the scripts: from a change as job.ts decided it to keys and arguments, and from replies to what they mean.

import type { Redis } from "ioredis";
import { jobBell, tenantBell } from "./bell.ts";
import type { Change } from "./job.ts";
import { isFinal, type JobRecord } from "./record.ts";
import { viewOf } from "./view.ts";
import { evaluate, keys } from "./redis.ts";
import { COMMIT, CREATE, DUE, FORGET, SEEN } from "./scripts.ts";

/** A record as it was read; `rev` tells whether somebody wrote since. */
export interface Stored {
  readonly record: JobRecord;
  readonly rev: number;
}

/** A job should be in the queue this long after it was recorded; after that, the sweep puts it there. */
const QUEUED_WITHIN_MS = 2000;
/** How often the sweep compares a job with the queue. */
const LOOK_EVERY_MS = 60_000;
/** How long events, the secrets of a failed job, and idempotency keys are kept. */
const KEPT_MS = 24 * 60 * 60 * 1000;
/** About so many events of a stream are kept. */
const STREAM_LENGTH = 10_000;
/** A tenant's stream gets a job's totals at most this often. */
const TOTALS_EVERY_MS = 1000;

/** Answers what the idempotency key holds, if that is another job's. */
export async function createJob(
  redis: Redis,
  change: Change,
  sealed: string,
  idempotency: { key: string; holds: string } | undefined,
): Promise<string | undefined> {
  const { id, tenant } = change.record;
  const on = [
    keys.job(id),
    keys.events(id),
    keys.secrets(id),
    keys.tenantEvents(tenant),
    keys.live,
  ];
  if (idempotency !== undefined) on.push(keys.idempotency(tenant, idempotency.key));
  on.push(...listsOf(change.record));
  const call = {
    ...appendCall(change),
    idempotency: idempotency?.holds,
    queuedWithinMs: QUEUED_WITHIN_MS,
  };
  const holds = await evaluate(redis, CREATE, on, [
    JSON.stringify(call),
    JSON.stringify(change.record),
    sealed,
  ]);
  return holds === "" ? undefined : String(holds);
}

/** One attempt to write a change of `before`, which was read at revision `rev`. `writer` names this attempt. */
export async function commit(
  redis: Redis,
  { record: before, rev }: Stored,
  change: Change,
  writer: string,
  manifest: Buffer | undefined,
): Promise<"ok" | "changed" | "lapsed"> {
  const { id, tenant, status } = change.record;
  const call = {
    ...appendCall(change),
    rev: String(rev),
    writer,
    queuedWithinMs: QUEUED_WITHIN_MS,
    revives: isFinal(before.status) && !isFinal(status),
    ends: isFinal(status) && !isFinal(before.status),
    succeeds: status === "succeeded",
  };
  const on = [
    keys.job(id),
    keys.events(id),
    keys.secrets(id),
    keys.tenantEvents(tenant),
    keys.live,
    keys.finished,
    keys.tenantStatus(tenant, before.status),
    keys.tenantStatus(tenant, status),
    keys.manifest(id),
  ];
  return (await evaluate(redis, COMMIT, on, [
    JSON.stringify(call),
    JSON.stringify(change.record),
    manifest ?? "",
  ])) as "ok" | "changed" | "lapsed";
}

/** False if the job was written to since it was read. */
export async function forgetJob(redis: Redis, { record, rev }: Stored): Promise<boolean> {
  const { id } = record;
  const lists = listsOf(record);
  const on = [
    keys.job(id),
    keys.finished,
    keys.events(id),
    keys.secrets(id),
    keys.manifest(id),
    ...lists,
  ];
  return (
    (await evaluate(redis, FORGET, on, [
      JSON.stringify({ id, rev: String(rev), indexes: lists.length }),
    ])) === 1
  );
}

/** The job is in the queue, as far as one can see: the sweep looks again later. */
export async function markSeen(redis: Redis, id: string): Promise<void> {
  await evaluate(redis, SEEN, [keys.live], [id, LOOK_EVERY_MS]);
}

/** Members of `live` or `finished` whose time is at least `agoMs` ago by Redis's clock. */
export async function dueIn(
  redis: Redis,
  key: string,
  agoMs: number,
  count: number,
): Promise<readonly string[]> {
  return (await evaluate(redis, DUE, [key], [agoMs, count])) as string[];
}

/** The indexes that name the job, in the state it is in. */
function listsOf({ tenant, status, spec }: JobRecord): string[] {
  const labels = Object.entries(spec.labels).map(([key, value]) =>
    keys.tenantLabel(tenant, key, value),
  );
  return [keys.tenantJobs(tenant), keys.tenantStatus(tenant, status), ...labels];
}

/** What `append` in Lua wants to know. Totals: a job that goes on shows the tenant its view as an `active` event. */
function appendCall({ record, events }: Change) {
  const { id, tenant } = record;
  const about = { jobId: id, time: new Date().toISOString() };
  const state = events.some((event) => "job" in event);
  return {
    id,
    events: events.map(({ type, ...data }) => ({
      type,
      data: JSON.stringify({ ...about, ...data }),
      state: "job" in data,
    })),
    totals:
      events.length > 0 && !state ? JSON.stringify({ ...about, job: viewOf(record) }) : undefined,
    length: STREAM_LENGTH,
    totalsEveryMs: TOTALS_EVERY_MS,
    keptMs: KEPT_MS,
    bell: keys.bell,
    jobBell: jobBell(id),
    tenantBell: tenantBell(tenant),
  };
}
