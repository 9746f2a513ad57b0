import { CopyError } from "../errors.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** A registry may ask for more patience than ours, within reason. */
const LONGEST_WISH_MS = 30 * 60_000;

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
