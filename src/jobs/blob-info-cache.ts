// What the cluster knows of blobs, in Redis: facts of each blob, where it was seen, and which blobs have the same content. It is kept a
// tenant apart from another, and by no credential: a candidate is a hint, and the registry lets or does not let the job's own token
// mount it (docs/decisions.md, "What is known of blobs").

import type { Redis } from "ioredis";
import type { BlobFacts, BlobInfoCache, Candidate } from "../copy/blob-info-cache.ts";
import { parseDigest, type Digest } from "../image/digest.ts";
import { LOOK_UP, RECORD } from "./blob-info-scripts.ts";
import { prioritize, type Asked } from "./candidates.ts";
import { gathered } from "./gathered.ts";
import { parseKnownBlobs } from "./known-blobs.ts";
import { evaluate, keys } from "./redis.ts";

/** What keeps the cache from growing without end. */
export interface Bounds {
  /** How long anything is kept after it was last recorded, in ms. */
  readonly keptMs: number;
  /** Repositories a blob is known to be in: those in which it was seen last. */
  readonly places: number;
  /** Blobs known to have one content. */
  readonly variants: number;
  /** Blobs of a tenant; in Redis about 1.5 kB each. */
  readonly blobs: number;
}

const BOUNDS: Bounds = {
  keptMs: 30 * 24 * 60 * 60 * 1000,
  places: 32,
  variants: 8,
  blobs: 50_000,
};

/** Questions, or records, that one call brings to Redis at most: it does nothing else meanwhile. */
const AT_ONCE = 64;

interface LookUp {
  readonly digest: Digest;
  readonly asked: Asked;
}

/** Waits for Redis as long as its connection does. What is asked in one turn of the event loop is one call, and so is what is recorded. */
export class RedisBlobInfoCache implements BlobInfoCache {
  readonly #redis: Redis;
  readonly #tenant: string;
  readonly #bounds: Bounds;
  readonly #onError: (error: unknown) => void;
  #failed = false;

  /** `redis`: a hasty connection, or a copy would wait for Redis to return. `onError` is told the first failure only. */
  constructor(deps: {
    redis: Redis;
    tenant: string;
    onError: (error: unknown) => void;
    bounds?: Partial<Bounds>;
  }) {
    this.#redis = deps.redis;
    this.#tenant = deps.tenant;
    this.#onError = deps.onError;
    this.#bounds = { ...BOUNDS, ...deps.bounds };
  }

  async uncompressedOf(digest: Digest): Promise<Digest | undefined> {
    const key = keys.blob(this.#tenant, digest);
    return parseDigest(await this.#try(() => this.#redis.hget(key, "uncompressed")));
  }

  async candidates(digest: Digest, asked: Asked): Promise<readonly Candidate[]> {
    const told = await this.#try(() => this.#lookUp({ digest, asked }));
    return prioritize(digest, asked, parseKnownBlobs(told, asked.registry));
  }

  async record(facts: BlobFacts): Promise<void> {
    await this.#try(() => this.#note(facts));
  }

  readonly #lookUp = gathered(AT_ONCE, async (all: readonly LookUp[]) => {
    const told = await evaluate(
      this.#redis,
      LOOK_UP,
      all.map(({ digest }) => keys.blob(this.#tenant, digest)),
      [
        keys.blob(this.#tenant, ""),
        this.#bounds.keptMs,
        ...all.flatMap(({ digest, asked: { registry = "", substitutes } }) => [
          digest,
          registry,
          substitutes ? "1" : "",
        ]),
      ],
    );
    return told as readonly unknown[];
  });

  readonly #note = gathered(AT_ONCE, async (all: readonly BlobFacts[]) => {
    const { keptMs, places, variants, blobs } = this.#bounds;
    await evaluate(
      this.#redis,
      RECORD,
      [keys.tenantBlobs(this.#tenant), ...all.map(({ digest }) => keys.blob(this.#tenant, digest))],
      [
        keys.blob(this.#tenant, ""),
        keptMs,
        places,
        variants,
        blobs,
        ...all.flatMap(({ digest, size, at, uncompressed, compression, annotations }) => [
          digest,
          size,
          uncompressed ?? "",
          compression ?? "",
          annotations === undefined ? "" : JSON.stringify(annotations),
          at === undefined ? "" : `${at.registry}/${at.repository}`,
        ]),
      ],
    );
    return all.map(() => undefined);
  });

  async #try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!this.#failed) this.#onError(error);
      this.#failed = true;
      return undefined;
    }
  }
}
