// How far an upload has got, and how much it may meet before it gets on.

import { nextTry, PROGRESS } from "../next-try.ts";

export class Headway {
  #at = 0;
  /** The most that a session was known to have. */
  #most = 0;
  #inVain = 0;
  #refusedTokens = 0;

  /** The first byte that the session does not have, as far as we know. */
  get at(): number {
    return this.#at;
  }

  /** The registry has so many bytes. */
  stands(stored: number): void {
    if (stored - this.#most >= PROGRESS) this.#inVain = 0;
    if (stored > this.#at) this.#refusedTokens = 0;
    this.#most = Math.max(this.#most, stored);
    this.#at = stored;
  }

  /** As nextTry, after one break more. */
  pauseMs(retryAfterMs: number | undefined, firstMs: number): number | undefined {
    return nextTry({ inVain: ++this.#inVain, retryAfterMs }, firstMs);
  }

  /**
   * Whether a token that was refused may have lapsed on its way, so that the next one is worth a try: one may. Each request has one with
   * time left; if two in a row are refused, with nothing stored between, it is us that the registry refuses (reliability 2.3).
   */
  mayHaveLapsed(): boolean {
    return ++this.#refusedTokens === 1;
  }
}
