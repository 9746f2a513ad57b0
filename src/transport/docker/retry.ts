// The one loop that sends again. undici's interceptor is not used: it cuts a long `Retry-After` short and knocks again anyway, and it
// would mend a manifest that broke off by `Range`.

import { setTimeout as sleep } from "node:timers/promises";
import type { IncomingHttpHeaders } from "node:http";
import { reasonOf } from "../../errors.ts";
import { mayBeSentAgain, retryAfterOf } from "./failures.ts";

const ATTEMPTS = 4;
/** A registry that wants to be left alone for longer fails the attempt; the queue waits instead, without a permit. */
const LONGEST_DELAY_MS = 10_000;
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Sends until there is an answer worth having, four times at most: 408, 425, 429, 500, 502 to 504 and broken connections are tried again,
 * first after about `firstMs`, and as late as `Retry-After` asks. Returns the last answer, or throws the last failure.
 */
export async function sendAgain<
  T extends { readonly status: number; readonly headers: IncomingHttpHeaders },
>(send: () => Promise<T>, firstMs: number, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await send().catch((error: unknown) => {
      if (attempt === ATTEMPTS || !mayBeSentAgain(error)) throw error;
      return undefined;
    });
    if (answer !== undefined && (attempt === ATTEMPTS || !AGAIN.has(answer.status))) return answer;
    const backoff = firstMs * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const delay = Math.max(backoff, (answer && retryAfterOf(answer)) ?? 0);
    if (answer !== undefined && delay > LONGEST_DELAY_MS) return answer;
    await sleep(delay, undefined, { signal }).catch((error: unknown) => {
      throw reasonOf(error, signal);
    });
  }
}
