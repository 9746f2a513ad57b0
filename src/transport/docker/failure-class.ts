// What an answer that was not hoped for says of a second try (reliability 2.3): one rule for whoever sends again, goes on, or gives up.

import { CopyError } from "../../errors.ts";
import type { Reply } from "./answer.ts";
import type { Blame } from "./failures.ts";

/**
 * `transient`: the same request may be answered otherwise in a moment. `restart`: what it builds on is lost, and must be made anew before it
 * can succeed. `permanent`: it would be refused again, whenever it is sent. `unknown`: nobody has promised such an answer; the same is not
 * sent at once, but a later attempt of the job may meet a better one.
 */
export type FailureClass = "transient" | "restart" | "permanent" | "unknown";

/** A refusal, as far as it decides; `code` is that of the spec's JSON error. */
export interface Refused extends Pick<Reply, "method" | "status">, Pick<Blame, "phase" | "side"> {
  readonly code?: string | undefined;
}

const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** It is about what others do at the same time, such as writing the same tag (Azure's registry). */
const CONFLICT = 409;
/** Servers that will never do it; all other 5xx are about the moment. */
const NEVER: ReadonlySet<number> = new Set([501, 505]);
/** Of an upload's session. */
const SESSION_LOST: ReadonlySet<string | undefined> = new Set([
  "BLOB_UPLOAD_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
]);
/** Of what a manifest names. */
const PARTS_LOST: ReadonlySet<string | undefined> = new Set([
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_UNKNOWN",
  "BLOB_UNKNOWN",
]);

export const isTransient = (status: number): boolean => TRANSIENT.has(status);

/** What was asked for is not there, or not any more. */
export const isAbsent = (status: number): boolean => status === 404 || status === 410;

/** The same as far as whoever looks is told: some registries answer 403, to hide what is not there. */
export const isUnknown = (status: number): boolean => isAbsent(status) || status === 403;

/** Whether an upload's session is not there any more, by what a request in it was answered. */
export const isSessionLost = ({ status, code }: Pick<Refused, "status" | "code">): boolean =>
  isAbsent(status) || SESSION_LOST.has(code);

export function classOf(refused: Refused): FailureClass {
  const { method, status, code, phase, side } = refused;
  if (isTransient(status)) return "transient";
  // The POST that begins an upload has no session to lose: its 404 is about the repository.
  if (phase === "upload" && method !== "POST" && isSessionLost(refused)) return "restart";
  const isManifest = phase === "manifest" && side === "destination" && method === "PUT";
  if (isManifest && PARTS_LOST.has(code)) return "restart";
  const isFinal = status >= 400 && status < 500 && status !== CONFLICT;
  return isFinal || NEVER.has(status) ? "permanent" : "unknown";
}

/** Whether a tag may have been refused because it exists and has to stay: a registry says so of one that is what it should be, too. */
export function mayBeTagged(error: unknown): boolean {
  const upstream = error instanceof CopyError ? error.context.upstream : undefined;
  if (upstream === undefined || upstream.status < 400 || upstream.status > 499) return false;
  const { status, code } = upstream;
  return !isTransient(status) && status !== 401 && !isAbsent(status) && !PARTS_LOST.has(code);
}
