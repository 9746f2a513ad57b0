// What one copy learns of blobs on its way to those who remember it.

import type { BlobFacts, BlobInfoCache } from "./blob-info-cache.ts";

/** Facts that are held back at most, and for how long: many small blobs are through in that time, and one call tells of all. */
const MOST = 64;
const HELD_MS = 100;

/** No copy waits for a fact to be written; disposing of it waits for all. */
export class Learnt implements BlobInfoCache, AsyncDisposable {
  readonly #cache: BlobInfoCache;
  readonly #writing = new Set<Promise<void>>();
  #held: BlobFacts[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(cache: BlobInfoCache) {
    this.#cache = cache;
  }

  uncompressedOf: BlobInfoCache["uncompressedOf"] = (digest) => {
    this.#write();
    return this.#cache.uncompressedOf(digest);
  };

  candidates: BlobInfoCache["candidates"] = (digest, given) => {
    this.#write();
    return this.#cache.candidates(digest, given);
  };

  async record(facts: BlobFacts): Promise<void> {
    this.#held.push(facts);
    if (this.#held.length === MOST) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), HELD_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#write();
    await Promise.all(this.#writing);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const facts of this.#held.splice(0)) {
      const written = this.#cache.record(facts).finally(() => this.#writing.delete(written));
      this.#writing.add(written);
    }
  }
}
