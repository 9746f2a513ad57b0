// Bearer tokens that are good for a while: asked for once, however many requests want one at the same moment.

import { raceAbort } from "../race-abort.ts";

export interface Token {
  readonly text: string;
  /** Seconds from its issue, as the token service says; 0: it does not say. */
  readonly expiresIn: number;
}

interface Entry {
  readonly token: Promise<Token>;
  /** Set when it is there. */
  text?: string;
  /** ms of the monotonic clock; until then it is used. While it is on its way it counts as usable. */
  usableUntil: number;
}

/** What a token lives for where its service does not say (the token protocol's default). */
const UNSAID_MS = 60_000;
/** So long before its end a token is renewed, or a third of its life where that is less. */
const MARGIN_MS = 10_000;
const LIMIT = 10_000;

/**
 * ms for which a token is used, from when it was asked for: its own word, less a margin for the way of the request that carries it.
 * containers/image takes no less than 60 s for granted; where the service means what it says, that is a 401 for each request.
 */
export function usableMs(expiresIn: number): number {
  const life = expiresIn > 0 ? expiresIn * 1000 : UNSAID_MS;
  return life - Math.min(life / 3, MARGIN_MS);
}

/**
 * By registry, credential and scope; the keys are the caller's. Lives are counted on the monotonic clock from when a token was asked
 * for: neither our clock nor the service's `issued_at` has to be right.
 */
export class Tokens implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * The token for `key`, from `fetch` if there is none: once, however many wait for it. A token of `others` that is at hand serves as
   * well. One caller's abort does not fail the others that wait for the same token.
   */
  async get(
    [key, ...others]: readonly [string, ...string[]],
    fetch: (signal: AbortSignal) => Promise<Token>,
    signal: AbortSignal,
  ): Promise<string> {
    const atHand = others
      .map((other) => this.#usable(other))
      .find((entry) => entry?.text !== undefined);
    const entry = this.#usable(key) ?? atHand ?? this.#fetch(key, fetch);
    const { text } = await raceAbort(entry.token, signal);
    return text;
  }

  /** A registry has refused this token. Another one that was fetched meanwhile stays. */
  forget(keys: readonly string[], text: string): void {
    for (const key of keys) if (this.#entries.get(key)?.text === text) this.#entries.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the process is closing its connections"));
    await Promise.allSettled([...this.#entries.values()].map((entry) => entry.token));
  }

  #usable(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#now() < entry.usableUntil ? entry : undefined;
  }

  #fetch(key: string, fetch: (signal: AbortSignal) => Promise<Token>): Entry {
    const start = this.#now();
    const entry: Entry = { token: fetch(this.#closing.signal), usableUntil: Infinity };
    this.#makeRoom();
    this.#entries.set(key, entry);
    entry.token.then(
      ({ text, expiresIn }) => {
        entry.text = text;
        entry.usableUntil = start + usableMs(expiresIn);
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }

  #makeRoom(): void {
    if (this.#entries.size < LIMIT) return;
    for (const key of this.#entries.keys())
      if (this.#usable(key) === undefined) this.#entries.delete(key);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= LIMIT && !oldest.done) this.#entries.delete(oldest.value);
  }
}
