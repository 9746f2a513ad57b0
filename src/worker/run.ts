// One run of one job: from its record to the copy engine, and from what came of it back into the record.

import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { copyImage } from "../copy/copy.ts";
import type { CopyResult, Flight, Semaphore } from "../copy/interfaces.ts";
import { CopyError, reasonOf, toCopyError } from "../errors.ts";
import { manifestDigest } from "../image/manifest/manifest.ts";
import { openEnds, type EndsDeps } from "../jobs/ends.ts";
import { jobBell, type Bell } from "../jobs/bell.ts";
import {
  canceled,
  CRASH_LIMIT,
  failed,
  handedBack,
  mayHelp,
  parked,
  retrying,
  started,
  succeeded,
  type Change,
} from "../jobs/job.ts";
import type { JobRecord } from "../jobs/record.ts";
import { problemOf } from "../jobs/view.ts";
import type { Jobs } from "../jobs/store.ts";
import { parkMs } from "./backoff.ts";
import { Recorder, Stopped } from "./recorder.ts";

export interface RunDeps extends EndsDeps {
  readonly jobs: Jobs;
  readonly bell: Bell;
  /** The cluster's permits for blobs. */
  readonly blobs: Semaphore;
  /** By name, what several jobs agree on that want one blob in one place. */
  readonly flight: (name: string) => Flight;
  readonly logger: Logger;
}

/** What the queue is to do with the job: nothing more, try again, fail it, give it to another worker now, or not before a time (ms). */
export type Outcome =
  | { readonly type: "ended" }
  | { readonly type: "retry" | "failed"; readonly error: CopyError }
  | { readonly type: "handed-back" }
  | { readonly type: "parked"; readonly until: number };

const ENDED: Outcome = { type: "ended" };
/** How often a run looks whether it was canceled or given up on, if no bell rings. */
const LOOK_MS = 2000;

/** Runs the job if there is something to run, and records how it ended. `stop` aborts with Stopped. Throws only where Redis fails. */
export async function runJob(
  deps: RunDeps,
  order: { id: string; run: number; attempt: number },
  stop: AbortSignal,
): Promise<Outcome> {
  const owner = randomUUID();
  const stored = await deps.jobs.change(order.id, (record) =>
    started(record, { owner, run: order.run, attempt: order.attempt, now: now() }),
  );
  if (stored?.record.owner !== owner) return ENDED;
  const { record } = stored;
  const logger = deps.logger.child({ job: record.id, tenant: record.tenant });
  logger.info(
    { attempt: record.attempt, source: record.spec.source, destination: record.spec.destination },
    "copy started",
  );

  const recorder = new Recorder(deps.jobs, stored, owner);
  const ended = new AbortController();
  const looking = lookOut(deps.bell, recorder, record.id, ended.signal);
  const limit = new AbortController();
  const timer = setTimeout(
    () =>
      limit.abort(
        new CopyError("timeout", `the copy took longer than ${record.spec.timeoutSeconds} s`),
      ),
    record.spec.timeoutSeconds * 1000,
  );
  const signal = AbortSignal.any([stop, recorder.signal, limit.signal]);
  const begun = performance.now();
  try {
    if (record.crashes >= CRASH_LIMIT)
      throw new CopyError(
        "worker_lost",
        `${CRASH_LIMIT} workers died while they moved a blob of this job`,
      );
    const result = await copyJob(deps, record, recorder, signal);
    const durationMs = Math.round(performance.now() - begun);
    await recorder.finish(
      (r) => succeeded(r, resultOf(result, durationMs, recorder.bytesCopied), now()),
      result.manifest,
    );
    logger.info(
      {
        durationMs,
        bytesCopied: recorder.bytesCopied,
        digest: result.digest,
        skipped: result.skipped,
      },
      "copy succeeded",
    );
    return ENDED;
  } catch (error) {
    return await end(recorder, record, reasonOf(error, signal), logger);
  } finally {
    clearTimeout(timer);
    ended.abort();
    await looking;
  }
}

/** Looks at the record whenever something happened to the job, until `ended`. */
async function lookOut(
  bell: Bell,
  recorder: Recorder,
  id: string,
  ended: AbortSignal,
): Promise<void> {
  for (;;) {
    await bell.wait(jobBell(id), LOOK_MS, ended);
    if (ended.aborted) return;
    // Where Redis cannot be asked, the run goes on for as long as its permits last.
    await recorder.look().catch(() => {});
  }
}

async function copyJob(
  deps: RunDeps,
  record: JobRecord,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<CopyResult> {
  const { tenant, spec, pinned } = record;
  const order = {
    tenant,
    spec,
    secrets: await deps.jobs.secrets(record),
    ...(pinned !== null && { pinned }),
  };
  await using ends = await openEnds(order, deps, signal);
  // The copy asks for the same, and beside it for what is at the destination; what is wrong it tells.
  const pin = async () =>
    recorder.pin(manifestDigest(await ends.source.getManifest(undefined, signal)));
  pin().catch(() => {});
  return await copyImage(ends, spec.options, {
    blobs: deps.blobs,
    // Nobody waits for another tenant's source.
    flight: (blob) => deps.flight(`${tenant}/${blob}`),
    report: recorder.report,
    signal,
  });
}

async function end(
  recorder: Recorder,
  record: JobRecord,
  reason: unknown,
  logger: Logger,
): Promise<Outcome> {
  if (reason instanceof Stopped) {
    logger.info({ why: reason.why }, "copy stopped");
    if (reason.why === "lost") return ENDED;
    if (reason.why === "shutdown")
      return (await recorder.finish(handedBack)) ? { type: "handed-back" } : ENDED;
    await recorder.finish((r) => canceled(r, now()));
    return ENDED;
  }
  return await endInError(recorder, record, toCopyError(reason), logger);
}

async function endInError(
  recorder: Recorder,
  record: JobRecord,
  failure: CopyError,
  logger: Logger,
): Promise<Outcome> {
  const { attempt, spec, parkedSince } = record;
  const isWorth = mayHelp(record, failure.code);
  const isAgain = failure.retryable && !isWorth;
  const error = isAgain ? failure.because("content was wrong in an earlier attempt, too") : failure;
  const problem = problemOf(error, `/v1/jobs/${record.id}`, isWorth);
  const again = async (outcome: Outcome, decide: (record: JobRecord) => Change) =>
    (await recorder.finish((r) => (r.cancelRequested ? canceled(r, now()) : decide(r))))
      ? outcome
      : ENDED;
  // Records of earlier versions have no such field.
  const parkedMs = parkedSince ? Date.now() - Date.parse(parkedSince) : 0;
  const waitMs = parkMs(error, parkedMs);
  if (waitMs !== undefined) {
    const until = new Date(Date.now() + waitMs);
    logger.info({ err: error, until }, "copy parked");
    return await again({ type: "parked", until: until.getTime() }, (r) =>
      parked(r, problem, until.toISOString(), now()),
    );
  }
  if (isWorth && attempt < spec.attempts) {
    logger.warn({ err: error, attempt }, "copy failed, to be tried again");
    return await again({ type: "retry", error }, (r) => retrying(r, problem));
  }
  logger.error({ err: error }, "copy failed");
  return (await recorder.finish((r) => failed(r, problem, now())))
    ? { type: "failed", error }
    : ENDED;
}

function resultOf(
  { digest, mediaType, sourceDigest, signatures, referrers, skipped }: CopyResult,
  durationMs: number,
  bytesCopied: number,
) {
  return {
    sourceDigest,
    manifestDigest: digest,
    manifestMediaType: mediaType,
    signatures,
    referrers,
    skipped,
    durationMs,
    bytesCopied,
  };
}

const now = (): string => new Date().toISOString();
