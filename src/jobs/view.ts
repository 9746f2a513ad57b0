// What a client sees of a job and of an error.

import { CODES } from "../codes.ts";
import type { CopyOptions } from "../copy/options.ts";
import type { CopyError } from "../errors.ts";
import { formatPlatform } from "../image/platform.ts";
import type { JobRecord, JobResult, Problem, Progress, Status } from "./record.ts";

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
  readonly parkedUntil: string | null;
  readonly progress: Progress;
  readonly result: JobResult | null;
  readonly error: Problem | null;
  readonly links: { readonly self: string; readonly events: string; readonly manifest: string };
}

export function viewOf(record: JobRecord): JobView {
  const { id, spec, status, attempt, createdAt, startedAt, finishedAt, progress, result, error } =
    record;
  // Records of earlier versions have no such field.
  const parkedUntil = record.parkedUntil ?? null;
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
    parkedUntil,
    progress,
    result,
    error,
    links: { self, events: `${self}/events`, manifest: `${self}/manifest` },
  };
}

/** The one place that makes a problem document of an error; `instance` is the address it belongs to. `retryable`: where more is known than its code. */
export function problemOf(
  error: CopyError,
  instance: string,
  retryable = error.retryable,
): Problem {
  const { status, title } = CODES[error.code];
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
