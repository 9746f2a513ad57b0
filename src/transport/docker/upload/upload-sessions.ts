// Uploads that outlive the attempt, or the worker, that began them.

import { CODES } from "../../../codes.ts";
import { CopyError } from "../../../errors.ts";
import type { Digest } from "../../../image/digest.ts";

/** What is uploaded, and whereto. */
export interface UploadPlace {
  readonly registry: string;
  readonly repository: string;
  readonly digest: Digest;
}

/** Of one tenant. Nothing here ever fails: what is not known is begun anew. */
export interface UploadSessions {
  /** The address at which an upload goes on that was begun before, not long ago. */
  find(place: UploadPlace): Promise<URL | undefined>;
  /** `url` may hold a secret of the registry's. */
  remember(place: UploadPlace, url: URL): Promise<void>;
  forget(place: UploadPlace): Promise<void>;
}

/** Smaller blobs are sent anew in less time than it takes to ask. */
export const WORTH_REMEMBERING = 8 * 1024 * 1024;

/**
 * Whether a later attempt may go on with what this one has sent: not if it was wrong, or if nobody wants it any more. Whoever stops a
 * copy says by a `goesOn` of the signal's reason that somebody else will take it.
 */
export function mayGoOnLater(error: unknown): boolean {
  if (error instanceof CopyError) return CODES[error.code].retryable === true;
  return error instanceof Error && "goesOn" in error && error.goesOn === true;
}
