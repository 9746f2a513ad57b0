// What may happen to a job. Every change is a pure function from a record to the next one and the events that tell of it; store.ts
// writes both in one step, or neither.

import { CODES, type Code } from "../codes.ts";
import type { ProgressEvent } from "../copy/progress.ts";
import type { Digest } from "../image/digest.ts";
import {
  isFinal,
  NO_PROGRESS,
  type JobRecord,
  type JobResult,
  type JobSpec,
  type Problem,
  type Progress,
  type Status,
} from "./record.ts";
import { viewOf, type JobView } from "./view.ts";

/** An event before it has an id; `data` is what the contract puts into it besides `jobId` and `time`. */
export type NewEvent =
  | {
      readonly type: "queued" | "active" | "retrying" | "succeeded" | "failed" | "canceled";
      readonly job: JobView;
    }
  | ProgressEvent;

export interface Change {
  readonly record: JobRecord;
  readonly events: readonly NewEvent[];
}

/** After so many deaths at the same blob, the job is taken for the cause. */
export const CRASH_LIMIT = 5;

export function created(id: string, tenant: string, spec: JobSpec, now: string): Change {
  const record: JobRecord = {
    id,
    tenant,
    spec,
    status: "queued",
    statusRevision: 1,
    run: 1,
    attempt: 0,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    parkedUntil: null,
    parkedSince: null,
    progress: NO_PROGRESS,
    result: null,
    error: null,
    owner: null,
    cancelRequested: false,
    pinned: null,
    crashes: 0,
    moving: false,
    restarted: false,
  };
  return { record, events: [{ type: "queued", job: viewOf(record) }] };
}

/** A worker takes the job, from the queue or from a worker that died. Undefined: there is nothing (more) to do for this run. */
export function started(
  record: JobRecord,
  by: { owner: string; run: number; attempt: number; now: string },
): Change | undefined {
  if (isFinal(record.status) || record.run !== by.run) return undefined;
  if (record.cancelRequested) return canceled(record, by.now);
  const crashes = record.status === "active" && record.moving ? record.crashes + 1 : record.crashes;
  return become(record, "active", {
    owner: by.owner,
    attempt: by.attempt,
    startedAt: record.startedAt ?? by.now,
    progress: NO_PROGRESS,
    error: null,
    moving: false,
    crashes,
  });
}

/** Events of a running copy, with the totals they add up to. No change of status. */
export function progressed(
  record: JobRecord,
  progress: Progress,
  pinned: Digest | null,
  events: readonly ProgressEvent[],
): Change {
  const last = events.findLast(
    (e) => e.type === "blob-new" || e.type === "blob-done" || e.type === "blob-skipped",
  );
  const finished = events.some((e) => e.type === "blob-done" || e.type === "blob-skipped");
  return {
    record: {
      ...record,
      progress,
      pinned: record.pinned ?? pinned,
      crashes: finished ? 0 : record.crashes,
      moving: last === undefined ? record.moving : last.type === "blob-new",
    },
    events,
  };
}

export const succeeded = (record: JobRecord, result: JobResult, now: string): Change =>
  become(record, "succeeded", { owner: null, result, finishedAt: now });

export const failed = (record: JobRecord, error: Problem, now: string): Change =>
  become(record, "failed", { owner: null, error, finishedAt: now });

/** Whether another attempt may help, after this one failed by this code. How many there may be, the job says. */
export function mayHelp(record: JobRecord, code: Code): boolean {
  const { retryable } = CODES[code];
  return retryable === "once" ? record.restarted !== true : retryable;
}

/** The attempt failed, the job did not: it waits for its next one. */
export function retrying(record: JobRecord, error: Problem): Change {
  const restarted = record.restarted === true || CODES[error.code].retryable === "once";
  return become(record, "queued", { owner: null, error, moving: false, restarted }, "retrying");
}

/** A registry wants to be left alone. Nothing has failed: the job waits with no worker, and the attempt begins anew. */
export const parked = (record: JobRecord, error: Problem, until: string, now: string): Change =>
  become(
    record,
    "queued",
    {
      owner: null,
      error,
      moving: false,
      parkedUntil: until,
      parkedSince: record.parkedSince ?? now,
    },
    "retrying",
  );

/** A worker that is shutting down gives the job back. */
export const handedBack = (record: JobRecord): Change =>
  become(record, "queued", { owner: null, moving: false });

export const canceled = (record: JobRecord, now: string): Change =>
  become(record, "canceled", { owner: null, finishedAt: now });

/** A client cancels. A waiting job ends at once, a running one when its worker hears of it; a finished one stays as it is. */
export function cancelRequested(record: JobRecord, now: string): Change | undefined {
  if (isFinal(record.status)) return undefined;
  if (record.status === "queued") return canceled({ ...record, cancelRequested: true }, now);
  if (record.cancelRequested) return undefined;
  return { record: { ...record, cancelRequested: true }, events: [] };
}

/** A client wants a failed or canceled job to run again. Undefined: it is neither. */
export function rerun(record: JobRecord): Change | undefined {
  if (record.status !== "failed" && record.status !== "canceled") return undefined;
  return become(record, "queued", {
    run: record.run + 1,
    attempt: 0,
    startedAt: null,
    finishedAt: null,
    parkedSince: null,
    progress: NO_PROGRESS,
    result: null,
    error: null,
    cancelRequested: false,
    pinned: null,
    crashes: 0,
    moving: false,
    restarted: false,
  });
}

function become(
  record: JobRecord,
  status: Status,
  fields: Partial<JobRecord>,
  type: "retrying" | Status = status,
): Change {
  const next: JobRecord = {
    ...record,
    parkedUntil: null,
    ...fields,
    status,
    statusRevision: record.statusRevision + 1,
  };
  return { record: next, events: [{ type, job: viewOf(next) }] };
}
