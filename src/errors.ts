// Errors that the contract has a word for, and how any other becomes one.

import { CODES, type Code } from "./codes.ts";

export type Side = "source" | "destination";

/** Where an error happened, as far as it is known; all of it may be shown to the client. */
export interface ErrorContext {
  readonly side?: Side;
  /** What was being done, such as `manifest`, `blob`, `upload`, `token`. */
  readonly phase?: string;
  /** `host[:port]` of the registry. */
  readonly registry?: string;
  readonly digest?: string;
  /** What the registry answered. */
  readonly upstream?: { readonly status: number; readonly code?: string };
  /** The registry's wish, as a floor for the next attempt. */
  readonly retryAfterMs?: number;
  /** For a bad request: which fields, as JSON pointers. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** A failure that the contract has a word for. Any other error is a bug, and becomes `internal`. */
export class CopyError extends Error {
  override readonly name = "CopyError";
  readonly code: Code;
  readonly context: ErrorContext;

  /** `message` is shown to the client as `detail`: it holds no credential and no query string. */
  constructor(code: Code, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }

  /** As far as this one failure tells; what a job has failed by before, its record knows. */
  get retryable(): boolean {
    return CODES[this.code].retryable !== false;
  }

  /** The same error with a sentence more. */
  because(why: string): CopyError {
    return new CopyError(this.code, `${this.message}; ${why}`, this.context, this.cause);
  }

  /** The same error with more known about where it happened; what was known before stays. */
  at(context: ErrorContext): CopyError {
    return new CopyError(this.code, this.message, { ...context, ...this.context }, this.cause);
  }
}

/**
 * What really happened: an abort is not the error, its reason is. Node's timers and streams throw an AbortError with the
 * reason as `cause`, undici throws the reason; this is the one place that knows.
 */
export function reasonOf(error: unknown, signal?: AbortSignal): unknown {
  if (!(error instanceof Error) || error instanceof CopyError) return error;
  if (error.name === "AbortError" && error.cause !== undefined) return error.cause;
  if (signal?.aborted && (error.name === "AbortError" || error === signal.reason))
    return signal.reason;
  return error;
}

const DISK_FULL = new Set(["ENOSPC", "EDQUOT"]);

/** Any error in the contract's words; disk errors get theirs, everything unknown is `internal` and keeps its cause for the log. */
export function toCopyError(error: unknown, context: ErrorContext = {}): CopyError {
  if (error instanceof CopyError) return error.at(context);
  if (error instanceof Error && "code" in error && DISK_FULL.has(String(error.code))) {
    return new CopyError(
      "storage_full",
      "no space is left where the data goes: free some, then retry the job",
      context,
      error,
    );
  }
  return new CopyError(
    "internal",
    "an unexpected error; its cause is in the service's log",
    context,
    error,
  );
}
