// A request that can be sent again, until its Authorization is right or there is no other.

import type { Answer } from "../answer.ts";
import { scopesMissing } from "./challenge.ts";
import { ERROR_LIMIT } from "../failures.ts";

export interface Asking {
  /** The Authorization by what is known; undefined: none. */
  readonly authorize: () => Promise<string | undefined>;
  readonly send: (authorization: string | undefined) => Promise<Answer>;
  /** The Authorization to answer a 401 with; the one that was used if there is no other. */
  readonly renew: (used: string | undefined, refused: Answer) => Promise<string | undefined>;
}

/** The answer to a request, sent three times at most: one 401 tells how to authenticate, another one what a token must allow besides. */
export async function askAuthorized(asking: Asking, signal: AbortSignal): Promise<Answer> {
  const used = await asking.authorize();
  const answer = await asking.send(used);
  if (answer.status !== 401) return answer;
  const [again, second] = await askAgain(asking, used, answer, signal);
  const wantsMore = scopesMissing(second.headers["www-authenticate"]).length > 0;
  if (used !== undefined || second.status !== 401 || !wantsMore) return second;
  return (await askAgain(asking, again, second, signal))[1];
}

/** The same answer where it leads to no other Authorization. */
async function askAgain(
  { send, renew }: Asking,
  used: string | undefined,
  refused: Answer,
  signal: AbortSignal,
): Promise<readonly [authorization: string | undefined, Answer]> {
  const again = await renew(used, refused).catch(async (error: unknown) => {
    await refused.read(ERROR_LIMIT, signal);
    throw error;
  });
  if (again === used) return [used, refused];
  await refused.read(ERROR_LIMIT, signal);
  return [again, await send(again)];
}
