// Bearer tokens that are good for a while: asked for once, however many requests want one at the same moment.

export interface Token {
  readonly text: string;
  /** Seconds from its issue, as the token service says. */
  readonly expiresIn: number;
}

interface Entry {
  readonly token: Promise<Token>;
  /** Set when it is there. */
  text?: string;
  /** ms since the epoch: until then it is tried; a 401 corrects us (semantics 7.2.3 takes no less than 60 s for granted). */
  tryUntil: number;
  /** Until then it is good by the service's own word, with a margin. */
  goodUntil: number;
}

const SHORTEST_MS = 60_000;
const LIMIT = 10_000;

/** By registry, credential and scope; the key is the caller's. */
export class Tokens implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  /**
   * The token for `key`, from `fetch` if there is none. `lasting`: it must be good by the service's word, since the request that
   * will carry it cannot be repeated. One caller's abort does not fail the others that wait for the same token.
   */
  async get(
    key: string,
    lasting: boolean,
    fetch: (signal: AbortSignal) => Promise<Token>,
    signal: AbortSignal,
  ): Promise<string> {
    const known = this.#entries.get(key);
    const now = Date.now();
    const usable = known !== undefined && now < (lasting ? known.goodUntil : known.tryUntil);
    const entry = usable ? known : this.#fetch(key, fetch);
    const { text } = await raceAbort(entry.token, signal);
    return text;
  }

  /** A registry has refused this token. Another one that was fetched meanwhile stays. */
  forget(key: string, text: string): void {
    if (this.#entries.get(key)?.text === text) this.#entries.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the process is closing its connections"));
    await Promise.allSettled([...this.#entries.values()].map((entry) => entry.token));
  }

  #fetch(key: string, fetch: (signal: AbortSignal) => Promise<Token>): Entry {
    const start = Date.now();
    // While it is on its way it counts as usable, whatever is asked of it.
    const entry: Entry = {
      token: fetch(this.#closing.signal),
      tryUntil: Infinity,
      goodUntil: Infinity,
    };
    this.#makeRoom();
    this.#entries.set(key, entry);
    entry.token.then(
      ({ text, expiresIn }) => {
        const lifetime = expiresIn > 0 ? expiresIn * 1000 : SHORTEST_MS;
        entry.text = text;
        entry.tryUntil = start + Math.max(lifetime, SHORTEST_MS);
        entry.goodUntil = start + lifetime - Math.min(lifetime / 2, 5_000);
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }

  #makeRoom(): void {
    if (this.#entries.size < LIMIT) return;
    const now = Date.now();
    for (const [key, entry] of this.#entries) if (entry.tryUntil < now) this.#entries.delete(key);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= LIMIT && !oldest.done) this.#entries.delete(oldest.value);
  }
}

/** The promise's outcome, or the signal's reason if that comes first. */
async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
