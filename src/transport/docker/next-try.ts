// When a blob that broke off on its way goes on.

import type { CopyError } from "../../errors.ts";
import { isTransient } from "./failure-class.ts";

/** New bytes that make a break one of a transfer that moves. */
export const PROGRESS = 64 * 1024;
/** Breaks in a row without progress after which it is given up: with half a second to begin with, a minute and a half. */
const TRIES = 8;
/** No pause is longer. A registry that wants to be left alone for more fails the attempt; the queue waits instead, without a permit. */
const LONGEST_MS = 30_000;

/** Whether a transfer that failed so may go on after a moment. */
export function mayPass({ code, context }: CopyError): boolean {
  if (code === "transfer_stalled") return true;
  if (code !== "registry_unavailable" && code !== "registry_rate_limited") return false;
  return context.upstream === undefined || isTransient(context.upstream.status);
}

export interface Breaks {
  /** How many in a row came before there were `PROGRESS` new bytes. */
  readonly inVain: number;
  /** What the registry asked for at the last one. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * ms to wait before the transfer goes on; undefined: it is given up. As long as it moves it goes on without an end (the job's own
 * time limit is one), else a few times with growing pauses. containers/image is less patient: it needs 1 MiB or a minute between two
 * breaks. `firstMs`: the first pause after a break without progress; `jitter` is between 0 and 1.
 */
export function nextTry(
  { inVain, retryAfterMs = 0 }: Breaks,
  firstMs: number,
  jitter = Math.random(),
): number | undefined {
  if (inVain > TRIES || retryAfterMs > LONGEST_MS) return undefined;
  const pause = inVain === 0 ? firstMs / 8 : firstMs * 2 ** (inVain - 1);
  return Math.max(Math.min(pause, LONGEST_MS) * (0.75 + jitter / 2), retryAfterMs);
}

/** What becomes of the count of breaks in vain, after one that came `moved` new bytes later than the last. */
export const afterBreak = (inVain: number, moved: number): number =>
  moved >= PROGRESS ? 0 : inVain + 1;
