// What is kept of a job, and the words for it.

import type { CODES } from "../codes.ts";
import type { CompressionFormat, CopyOptions } from "../copy/options.ts";
import type { ErrorContext } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import type { PlatformChoice } from "../image/platform.ts";

export type Status = "queued" | "active" | "succeeded" | "failed" | "canceled";

/** How a registry is to be reached, less its secrets. */
export interface SideContext {
  /** Absent: as the operator has it. */
  readonly tlsVerify?: boolean;
  /** PEM; added to the system's authorities. */
  readonly caCertificates?: string;
  /** Nobody's credentials, though the service may have some. */
  readonly anonymous?: boolean;
  /** Below the data folder: the blobs of several layouts. */
  readonly sharedBlobDir?: string;
}

/** What a destination is to do with layers besides. */
export interface DestinationContext extends SideContext {
  readonly compressionFormat?: CompressionFormat;
  readonly compressionLevel?: number;
  readonly acceptUncompressedLayers: boolean;
  readonly dirForceCompress: boolean;
  readonly dirForceDecompress: boolean;
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
  readonly destinationContext: DestinationContext;
  /** A policy.json that must hold besides the service's own: as it was given, and checked. */
  readonly policy?: Readonly<Record<string, unknown>>;
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
  readonly referrers: number;
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
  /** A queued job waits until then for a registry that wants to be left alone. */
  readonly parkedUntil: string | null;
  /** When it first did so in this run of the client's. */
  readonly parkedSince: string | null;
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
  /** An attempt of this run got content that was wrong; there is no third that does. Absent in records of earlier versions. */
  readonly restarted?: boolean;
}

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
