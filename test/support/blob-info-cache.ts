// What is known of blobs, in memory: for tests of the engine. test/jobs/blob-info-cache.test.ts holds it to what Redis's says.

import type { BlobFacts, BlobInfoCache } from "../../src/copy/blob-info-cache.ts";
import type { Digest } from "../../src/image/digest.ts";
import { prioritize, type Asked } from "../../src/jobs/candidates.ts";
import type { KnownBlob } from "../../src/jobs/known-blobs.ts";

interface Kept extends Omit<KnownBlob, "places"> {
  /** When it was seen, by registry/repository. */
  readonly places: ReadonlyMap<string, number>;
}

export class MemoryBlobInfoCache implements BlobInfoCache {
  readonly #blobs = new Map<Digest, Kept>();
  #clock = 0;

  async uncompressedOf(digest: Digest) {
    return this.#blobs.get(digest)?.uncompressed;
  }

  async candidates(digest: Digest, asked: Asked) {
    const from = `${asked.registry}/`;
    const known = [...this.#blobs.values()].map(({ places, ...facts }): KnownBlob => ({
      ...facts,
      places: [...places]
        .filter(([place]) => place.startsWith(from))
        .map(([place, seen]) => ({ repository: place.slice(from.length), seen })),
    }));
    return prioritize(digest, asked, known);
  }

  async record({ at, ...facts }: BlobFacts) {
    const { digest, size, uncompressed, compression, annotations } = facts;
    const kept = this.#blobs.get(digest);
    const seen = ++this.#clock;
    const refined = kept?.compression === "zstd" && compression === "zstd:chunked";
    const read = uncompressed !== undefined || compression !== undefined;
    this.#blobs.set(digest, {
      digest,
      ...(uncompressed !== undefined && { uncompressed }),
      ...(compression !== undefined && { compression }),
      ...(compression !== undefined && annotations !== undefined && { annotations }),
      ...kept,
      ...(refined && { compression, ...(annotations !== undefined && { annotations }) }),
      size: read ? size : (kept?.size ?? size),
      seen,
      places: new Map([
        ...(kept?.places ?? []),
        ...(at === undefined ? [] : [[`${at.registry}/${at.repository}`, seen] as const]),
      ]),
    });
  }
}

/** Knows nothing and keeps nothing. */
export const NO_CACHE: BlobInfoCache = {
  uncompressedOf: async () => undefined,
  candidates: async () => [],
  record: async () => {},
};
