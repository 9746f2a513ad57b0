// The one loop that sends again. undici's interceptor is not used: it cuts a long `Retry-After` short and knocks again anyway, and it
// would mend a manifest that broke off by `Range`.

import type { Answer, Reply } from "./answer.ts";
import { isTransient } from "./failure-class.ts";
import { mayBeSentAgain } from "./failures.ts";
import { limitsOf } from "./pace/limits.ts";
import { pause } from "./pause.ts";
import { PATIENCE_MS } from "./pace/pace.ts";

const ATTEMPTS = 4;
/** A registry that wants to be left alone for longer fails the attempt; the queue waits instead, without a permit. */
const LONGEST_DELAY_MS = PATIENCE_MS;

/**
 * Sends until there is an answer worth having, four times at most: 408, 425, 429, 500, 502 to 504 and broken connections are tried again,
 * first after about `firstMs`, and as late as the registry asks. Returns the last answer, or throws the last failure.
 */
export async function sendAgain<T extends Reply | Pick<Answer, "status" | "headers">>(
  send: () => Promise<T>,
  firstMs: number,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await send().catch((error: unknown) => {
      if (attempt === ATTEMPTS || !mayBeSentAgain(error)) throw error;
      return undefined;
    });
    if (answer !== undefined && (attempt === ATTEMPTS || !isTransient(answer.status)))
      return answer;
    const backoff = firstMs * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const wish = (answer && limitsOf(answer, Date.now()).waitMs) ?? 0;
    if (wish > LONGEST_DELAY_MS && answer !== undefined) return answer;
    const delay = Math.max(backoff, wish);
    await pause(delay, signal);
  }
}
