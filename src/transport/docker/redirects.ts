// Redirects by hand: each hop is a new decision about where to go, and about who sees what.

import { headerOf, type Answer } from "./answer.ts";
import { ERROR_LIMIT } from "./failures.ts";

const REDIRECTS = 5;
const REDIRECT: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** An address that an answer names, relative to the one asked. Undefined where it must not be followed: none, other schemes, user info, http after https. */
export function nextAddress(from: URL, location: string | undefined): URL | undefined {
  const url = location === undefined ? null : URL.parse(location, from);
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  const isAllowed =
    url.protocol === "https:" || (url.protocol === "http:" && from.protocol === "http:");
  return isAllowed ? url : undefined;
}

/**
 * The answer to a GET or HEAD, wherever it is in the end. `ask` is called for each address; `isSent` by others than the first one's origin: where
 * those send to is not its word, even where that is itself (as Go's client has it since CVE-2024-45336). `broken` makes the error that is
 * thrown for too many redirects, and for one that must not be followed.
 */
export async function follow(
  first: URL,
  ask: (url: URL, isSent: boolean) => Promise<Answer>,
  broken: (what: string) => Error,
  signal: AbortSignal,
): Promise<Answer> {
  let url = first;
  let isSent = false;
  for (let hops = 0; ; hops++) {
    const answer = await ask(url, isSent);
    const location = headerOf(answer.headers, "location");
    if (!REDIRECT.has(answer.status) || location === undefined) return answer;
    await answer.read(ERROR_LIMIT, signal);
    if (hops === REDIRECTS) throw broken("redirects in circles");
    const next = nextAddress(url, location);
    if (next === undefined) throw broken(FORBIDDEN);
    isSent ||= url.origin !== first.origin;
    url = next;
  }
}

export const FORBIDDEN = "sends on to an address that must not be contacted";
