// Uploads that outlive the worker that began them, in Redis. Where an upload goes on may hold a secret of the registry's, so it is sealed;
// it opens for the same tenant, place and digest only.

import type { Redis } from "ioredis";
import type { UploadPlace, UploadSessions } from "../transport/docker/upload/upload-sessions.ts";
import { keys } from "./redis.ts";
import type { Sealer } from "./secrets.ts";

/** Registries forget an upload that nobody goes on with; most of them sooner or later than this, and then it is begun anew. */
const KEPT_MS = 60 * 60 * 1000;

/** Waits for Redis as long as its connection does. */
export class RedisUploadSessions implements UploadSessions {
  readonly #redis: Redis;
  readonly #sealer: Sealer;
  readonly #tenant: string;
  readonly #keptMs: number;
  readonly #onError: (error: unknown) => void;

  /** `redis`: a hasty connection, or a copy would wait for Redis to return. */
  constructor(deps: {
    redis: Redis;
    sealer: Sealer;
    tenant: string;
    onError: (error: unknown) => void;
    keptMs?: number;
  }) {
    this.#redis = deps.redis;
    this.#sealer = deps.sealer;
    this.#tenant = deps.tenant;
    this.#keptMs = deps.keptMs ?? KEPT_MS;
    this.#onError = deps.onError;
  }

  async find(place: UploadPlace): Promise<URL | undefined> {
    return this.#try(async () => {
      const sealed = await this.#redis.get(this.#key(place));
      return sealed === null
        ? undefined
        : new URL(this.#sealer.openText(this.#owner(place), sealed));
    });
  }

  async remember(place: UploadPlace, url: URL): Promise<void> {
    await this.#try(() => {
      const sealed = this.#sealer.sealText(this.#owner(place), url.href);
      return this.#redis.set(this.#key(place), sealed, "PX", this.#keptMs);
    });
  }

  async forget(place: UploadPlace): Promise<void> {
    await this.#try(() => this.#redis.del(this.#key(place)));
  }

  #key(place: UploadPlace): string {
    return keys.upload(this.#tenant, nameOf(place));
  }

  #owner(place: UploadPlace): { readonly id: string; readonly tenant: string } {
    return { id: `upload ${nameOf(place)}`, tenant: this.#tenant };
  }

  async #try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }
}

const nameOf = ({ registry, repository, digest }: UploadPlace): string =>
  `${registry}/${repository}@${digest}`;
