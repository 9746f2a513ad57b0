// How long a job waits before it is run again.

import { CopyError } from "../errors.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** A registry may ask for more patience than ours, within reason. */
const LONGEST_WISH_MS = 30 * 60_000;
/** A registry that wants to be left alone for so long in all is not waited for any more. */
const PARKED_LIMIT_MS = 24 * 60 * 60_000;

/**
 * How long a job waits (ms) after its n-th failed attempt (from 1): exponential with full jitter, at least what the registry asked for.
 */
export function backoffMs(
  attempt: number,
  error: unknown,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempt - 1));
  const wish = error instanceof CopyError ? (error.context.retryAfterMs ?? 0) : 0;
  return Math.max(Math.round(ceiling * (0.5 + random() / 2)), Math.min(wish, LONGEST_WISH_MS));
}

/**
 * How long a job is parked (ms) because its registry wants to be left alone, which is no failed attempt: at least what the registry asked
 * for, a little more, so that not all come back at once, and the longer the longer it has been so (`parkedMs`). Undefined: it is not
 * parked, because something else is wrong, or it has been parked for a day.
 */
export function parkMs(
  error: CopyError,
  parkedMs: number,
  random: () => number = Math.random,
): number | undefined {
  const { retryAfterMs, upstream } = error.context;
  const asks =
    error.code === "registry_rate_limited" ||
    (upstream?.status === 503 && retryAfterMs !== undefined);
  if (!asks || parkedMs >= PARKED_LIMIT_MS) return undefined;
  const wish = Math.min(retryAfterMs ?? 0, LONGEST_WISH_MS);
  const least = Math.min(Math.max(parkedMs / 10, FIRST_MS), LONGEST_MS);
  return Math.round(Math.max(wish, least) + random() * Math.max(FIRST_MS, wish / 10));
}
