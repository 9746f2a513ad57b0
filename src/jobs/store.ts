// This folder is what API and workers agree on. A job's record, its events and its places in the lists change together, in one script
// each (scripts.ts); this file is the way to them, events.ts reads what happened, queue.ts hands the names of jobs to workers, and
// sweep.ts repairs what a crash left between the two. Whatever changes a job is a pure function of job.ts.

import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { CopyError } from "../errors.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { commit, createJob, forgetJob, markSeen, type Stored } from "./commit.ts";
import { isId, newId } from "./ids.ts";
import { cancelRequested, created, rerun, type Change } from "./job.ts";
import { isFinal, type JobRecord, type JobSecrets, type JobSpec } from "./record.ts";
import type { JobQueue } from "./queue.ts";
import { listJobs, parseRecord, type Filter, type Page } from "./list.ts";
import { available, keys } from "./redis.ts";
import type { Sealer } from "./secrets.ts";

export type { Stored } from "./commit.ts";

export interface Order {
  readonly tenant: string;
  readonly spec: JobSpec;
  readonly secrets: JobSecrets;
  /** `digest`: the fingerprint of the whole request. */
  readonly idempotency?: { readonly key: string; readonly digest: string };
}

/** Every method throws `service_unavailable` if Redis does not answer. */
export class Jobs {
  readonly #redis: Redis;
  readonly #queue: JobQueue;
  readonly #sealer: Sealer;

  constructor(deps: { redis: Redis; queue: JobQueue; sealer: Sealer }) {
    this.#redis = deps.redis;
    this.#queue = deps.queue;
    this.#sealer = deps.sealer;
  }

  /**
   * Once this resolves, the job will run, whatever dies. The same idempotency key and digest give the job of the first time
   * (`replayed`); with another digest the key throws `idempotency_key_reused`.
   */
  async submit({
    tenant,
    spec,
    secrets,
    idempotency,
  }: Order): Promise<{ stored: Stored; replayed: boolean }> {
    const id = newId();
    const change = created(id, tenant, spec, new Date().toISOString());
    const sealed =
      Object.keys(secrets).length === 0 ? "" : this.#sealer.seal({ id, tenant }, secrets);
    const claim = idempotency && { key: idempotency.key, holds: `${idempotency.digest} ${id}` };
    const earlier = await available(createJob(this.#redis, change, sealed, claim));
    if (earlier !== undefined)
      return { stored: await this.#replay(tenant, earlier, idempotency?.digest), replayed: true };
    await this.#enqueue(change.record);
    return { stored: { record: change.record, rev: 1 }, replayed: false };
  }

  /** The tenant's job; undefined if it is another's or nobody's. */
  async get(tenant: string, id: string): Promise<Stored | undefined> {
    const stored = isId(id) ? await this.load(id) : undefined;
    return stored?.record.tenant === tenant ? stored : undefined;
  }

  /** Anybody's job, for workers. */
  async load(id: string): Promise<Stored | undefined> {
    const [record, rev] = await available(this.#redis.hmget(keys.job(id), "record", "rev"));
    return record ? { record: parseRecord(record), rev: Number(rev) } : undefined;
  }

  /**
   * Reads the job, lets `decide` say what becomes of it, writes that if nobody wrote meanwhile, else starts again: `decide` may
   * be called many times. Undefined: there is no such job, or `decide` saw nothing to do. Throws `conflict` if a job is to run again
   * whose secrets have lapsed. `attach` is stored with it.
   */
  async change(
    from: Stored | string,
    decide: (record: JobRecord) => Change | undefined,
    attach: { manifest?: RawManifest } = {},
  ): Promise<Stored | undefined> {
    let stored = typeof from === "string" ? await this.load(from) : from;
    for (; stored !== undefined; stored = await this.load(stored.record.id)) {
      const change = decide(stored.record);
      if (change === undefined) return undefined;
      const outcome = await available(
        commit(this.#redis, stored, change, randomUUID(), attach.manifest?.bytes),
      );
      if (outcome === "ok") return { record: change.record, rev: stored.rev + 1 };
      if (outcome === "lapsed")
        throw new CopyError("conflict", "the job's credentials are no longer kept: order it anew");
    }
    return undefined;
  }

  /** The tenant's jobs, newest first. Throws `invalid_request` for a cursor that is none of ours. */
  async list(
    tenant: string,
    filter: Filter,
    page: { limit: number; cursor?: string },
  ): Promise<Page> {
    return await listJobs(this.#redis, tenant, filter, page);
  }

  /** A queued job is canceled at once, a running one when its worker hears of it, a finished one stays as it is. */
  async cancel(tenant: string, id: string): Promise<Stored | undefined> {
    const stored = await this.get(tenant, id);
    if (stored === undefined) return undefined;
    const after = await this.change(stored, (record) =>
      cancelRequested(record, new Date().toISOString()),
    );
    if (after === undefined) return await this.get(tenant, id);
    // Best effort: a worker that gets a canceled job leaves it alone.
    if (isFinal(after.record.status)) await this.#queue.remove(after.record).catch(() => {});
    return after;
  }

  /** A new run of the job. Throws `conflict` if it is neither failed nor canceled, or its secrets have lapsed. */
  async retry(tenant: string, id: string): Promise<Stored | undefined> {
    const stored = await this.get(tenant, id);
    if (stored === undefined) return undefined;
    const after = await this.change(stored, (record) => {
      const change = rerun(record);
      if (change === undefined)
        throw new CopyError(
          "conflict",
          `the job is ${record.status}: only a failed or canceled one can run again`,
        );
      return change;
    });
    if (after !== undefined) await this.#enqueue(after.record);
    return after;
  }

  /** What was ordered with the job; empty where nothing was. Throws if it can no longer be opened. */
  async secrets(record: JobRecord): Promise<JobSecrets> {
    const sealed = await available(this.#redis.get(keys.secrets(record.id)));
    return sealed === null ? {} : this.#sealer.open(record, sealed);
  }

  /** The manifest that the job wrote; undefined while there is none. */
  async manifest(tenant: string, id: string): Promise<RawManifest | undefined> {
    const result = (await this.get(tenant, id))?.record.result;
    if (!result) return undefined;
    const bytes = await available(this.#redis.getBuffer(keys.manifest(id)));
    return bytes === null ? undefined : { bytes, mediaType: result.manifestMediaType };
  }

  /** Removes all there is of a job, unless it was written to since it was read. */
  async forget(stored: Stored): Promise<boolean> {
    return await available(forgetJob(this.#redis, stored));
  }

  /** The job is recorded as due already: if this fails, or is never reached, the sweep does it. */
  async #enqueue(record: JobRecord): Promise<void> {
    try {
      await this.#queue.enqueue(record);
      await markSeen(this.#redis, record.id);
    } catch {
      // Accepted all the same.
    }
  }

  async #replay(tenant: string, holds: string, digest: string | undefined): Promise<Stored> {
    const [heldDigest, id = ""] = holds.split(" ");
    if (heldDigest !== digest)
      throw new CopyError(
        "idempotency_key_reused",
        "the Idempotency-Key was used for another request",
      );
    const stored = await this.get(tenant, id);
    if (stored === undefined)
      throw new CopyError("conflict", "the job of this Idempotency-Key is no longer kept");
    return stored;
  }
}
