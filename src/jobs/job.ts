// A job's record, what may happen to it, and what a client sees of it. Every change is a pure function from a record to the next
// one and the events that tell of it; store.ts writes both in one step, or neither.

import { CODES, type CopyError, type ErrorContext } from "../errors.ts";
import type { CopyOptions, ProgressEvent } from "../copy/interfaces.ts";
import type { Digest } from "../image/digest.ts";
import { formatPlatform, type PlatformChoice } from "../image/platform.ts";

export type Status = "queued" | "active" | "succeeded" | "failed" | "canceled";

/** How a registry is to be reached, less its secrets. */
export interface SideContext {
  readonly tlsVerify: boolean;
  /** PEM; added to the system's authorities. */
  readonly caCertificates?: string;
}

/** Secrets of one side: kept sealed, apart from the record. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string }
  | { readonly registryToken: string };

export interface JobSecrets {
  readonly source?: Credentials;
  readonly destination?: Credentials;
}

/** What a client ordered, checked and with all defaults applied; no secrets. */
export interface JobSpec {
  readonly source: string;
  readonly destination: string;
  readonly options: CopyOptions;
  readonly sourceContext: SideContext & PlatformChoice;
  readonly destinationContext: SideContext;
  /** 0 = the usual; 1 is the most urgent, 2 the next. */
  readonly priority: number;
  /** Runs before the job is failed. */
  readonly attempts: number;
  /** Of one run. */
  readonly timeoutSeconds: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Bytes and blobs of the current run; totals grow while manifests are read. */
export interface Progress {
  readonly bytesTotal: number;
  readonly bytesDone: number;
  readonly blobsTotal: number;
  readonly blobsCopied: number;
  readonly blobsReused: number;
  readonly blobsMounted: number;
}

export interface JobResult {
  readonly sourceDigest: Digest;
  readonly manifestDigest: Digest;
  readonly manifestMediaType: string;
  readonly signatures: number;
  readonly skipped: boolean;
  readonly durationMs: number;
  readonly bytesCopied: number;
}

/** A problem document (RFC 9457) with the contract's additions; a job's `error` and a response's body are the same object. */
export interface Problem extends Omit<ErrorContext, "retryAfterMs"> {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: keyof typeof CODES;
  readonly retryable: boolean;
}

export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  readonly spec: JobSpec;
  readonly status: Status;
  /** Counts changes of status: what `Prefer: wait` waits for. */
  readonly statusRevision: number;
  /** 1 for the first order, one more for each retry by a client: with the id, the name of the queue's job. */
  readonly run: number;
  /** Which of `spec.attempts` this is; 0 before the first. A run that was cut short by a dying worker is not counted. */
  readonly attempt: number;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly progress: Progress;
  readonly result: JobResult | null;
  readonly error: Problem | null;
  /** The worker's run that may write; null while none may. A worker that was given up on finds another name here, and stops. */
  readonly owner: string | null;
  readonly cancelRequested: boolean;
  /** What the source's tag was resolved to first: every later attempt copies the same image. */
  readonly pinned: Digest | null;
  /** Deaths of workers while they moved a blob of this job, with no blob finished in between. */
  readonly crashes: number;
  /** True while a blob of this job is being moved and none was finished since. */
  readonly moving: boolean;
}

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

export const NO_PROGRESS: Progress = {
  bytesTotal: 0,
  bytesDone: 0,
  blobsTotal: 0,
  blobsCopied: 0,
  blobsReused: 0,
  blobsMounted: 0,
};

export const isFinal = (status: Status): boolean =>
  status === "succeeded" || status === "failed" || status === "canceled";

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
    progress: NO_PROGRESS,
    result: null,
    error: null,
    owner: null,
    cancelRequested: false,
    pinned: null,
    crashes: 0,
    moving: false,
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

/** The attempt failed, the job did not: it waits for its next one. */
export const retrying = (record: JobRecord, error: Problem): Change =>
  become(record, "queued", { owner: null, error, moving: false }, "retrying");

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
    progress: NO_PROGRESS,
    result: null,
    error: null,
    cancelRequested: false,
    pinned: null,
    crashes: 0,
    moving: false,
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
    ...fields,
    status,
    statusRevision: record.statusRevision + 1,
  };
  return { record: next, events: [{ type, job: viewOf(next) }] };
}

/** What a client sees. */
export interface JobView {
  readonly id: string;
  readonly status: Status;
  readonly source: string;
  readonly destination: string;
  /** As a request spells them, with all defaults. */
  readonly options: Omit<CopyOptions, "platforms"> & { readonly platforms: readonly string[] };
  readonly labels: Readonly<Record<string, string>>;
  readonly batch: null;
  readonly attempt: number;
  readonly attempts: number;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly progress: Progress;
  readonly result: JobResult | null;
  readonly error: Problem | null;
  readonly links: { readonly self: string; readonly events: string; readonly manifest: string };
}

export function viewOf(record: JobRecord): JobView {
  const { id, spec, status, attempt, createdAt, startedAt, finishedAt, progress, result, error } =
    record;
  const self = `/v1/jobs/${id}`;
  return {
    id,
    status,
    source: spec.source,
    destination: spec.destination,
    options: { ...spec.options, platforms: spec.options.platforms.map(formatPlatform) },
    labels: spec.labels,
    batch: null,
    attempt,
    attempts: spec.attempts,
    createdAt,
    startedAt,
    finishedAt,
    progress,
    result,
    error,
    links: { self, events: `${self}/events`, manifest: `${self}/manifest` },
  };
}

/** The one place that makes a problem document of an error; `instance` is the address it belongs to. */
export function problemOf(error: CopyError, instance: string): Problem {
  const { status, title, retryable } = CODES[error.code];
  const { retryAfterMs: _, ...context } = error.context;
  return {
    type: `/docs#code-${error.code}`,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    retryable,
    ...context,
  };
}
