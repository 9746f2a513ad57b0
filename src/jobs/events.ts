// What happened to a job, or to all of a tenant's, read from its stream: all that is kept after an id, then more as it comes. A
// reader listens to the bell first and reads then, so nothing falls between the two.

import type { ChainableCommander, Redis } from "ioredis";
import { jobBell, tenantBell, type Bell } from "./bell.ts";
import { isFinal, type JobRecord } from "./record.ts";
import { viewOf } from "./view.ts";
import { parseRecord, readRecords } from "./list.ts";
import { available, keys } from "./redis.ts";

/** An event as it is kept; `data` has `jobId` and `time` besides what the contract says of its type. */
export interface Event {
  /** Of a job: 1, 2, 3 …; of a tenant: Redis's own. */
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A bell may be missed: look all the same after so long. */
const LOOK_EVERY_MS = 5000;
const READ_COUNT = 200;
/** So many jobs, the newest, are shown to a reader who missed what is no longer kept of the tenant's stream. */
const SNAPSHOT_JOBS = 200;

type Entry = readonly [id: string, fields: readonly string[]];

/** Generators end quietly when their signal aborts, and throw `service_unavailable` if Redis does not answer. */
export class Events {
  readonly #redis: Redis;
  readonly #bell: Bell;

  constructor(deps: { redis: Redis; bell: Bell }) {
    this.#redis = deps.redis;
    this.#bell = deps.bell;
  }

  /**
   * The job's events after the id `after` (absent, or no id at all: from the first), in order, as they come; ends when the job is
   * over and its last event was given. Where some of them are no longer kept: first a `snapshot`, which stands for all up to its id.
   */
  async *ofJob(id: string, after: string | undefined, signal: AbortSignal): AsyncGenerator<Event> {
    let last = parseSeq(after) ?? 0;
    while (!signal.aborted) {
      using rung = this.#listen(jobBell(id), signal);
      const now = await this.#readJob(id, last);
      if (now === undefined) return;
      const first = now.events.length === 0 ? now.seq + 1 : Number(now.events[0]?.id);
      if (last > now.seq || first > last + 1) {
        last = now.seq;
        yield snapshotOf(now.record, String(last));
      } else {
        for (const event of now.events) {
          if (signal.aborted) return;
          yield event;
          last = Number(event.id);
        }
      }
      if (last >= now.seq && isFinal(now.record.status)) return;
      if (now.events.length === 0) await rung.promise;
    }
  }

  /**
   * The tenant's changes of state and totals after the id `after` (absent: from now on), as they come. Where some are no longer
   * kept: first a `snapshot` of each of the newest jobs; the last of them has the id to go on from.
   */
  async *ofTenant(
    tenant: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Event> {
    let last = after !== undefined && TENANT_ID.test(after) ? after : await this.#tenantEnd(tenant);
    while (!signal.aborted) {
      using rung = this.#listen(tenantBell(tenant), signal);
      const { known, events } = await this.#readTenant(tenant, last);
      if (!known) {
        const end = await this.#tenantEnd(tenant);
        yield* await this.#snapshots(tenant, last, end);
        last = end;
        continue;
      }
      for (const event of events) {
        if (signal.aborted) return;
        yield event;
        last = event.id;
      }
      if (events.length === 0) await rung.promise;
    }
  }

  /** Starts to listen; `promise` resolves at the bell or after a while. Disposing of it stops the listening. */
  #listen(name: string, signal: AbortSignal): Disposable & { promise: Promise<void> } {
    const stop = new AbortController();
    const promise = this.#bell.wait(name, LOOK_EVERY_MS, AbortSignal.any([signal, stop.signal]));
    return { promise, [Symbol.dispose]: () => stop.abort() };
  }

  /** Record, number of the last event, and some events after `last`, all of one moment. */
  async #readJob(
    id: string,
    last: number,
  ): Promise<{ record: JobRecord; seq: number; events: readonly Event[] } | undefined> {
    const transaction = this.#redis
      .multi()
      .hmget(keys.job(id), "record", "seq")
      .xrange(keys.events(id), `(${last}-0`, "+", "COUNT", READ_COUNT);
    const [held, entries] = (await execute(transaction)) as [
      [string | null, string | null],
      Entry[],
    ];
    if (held[0] === null) return undefined;
    const events = entries
      .map(eventOf)
      .map((event) => ({ ...event, id: event.id.slice(0, event.id.indexOf("-")) }));
    return { record: parseRecord(held[0]), seq: Number(held[1] ?? 0), events };
  }
  /** Some events after `last`; `known` is false if `last` is no longer kept, or never was. */
  async #readTenant(
    tenant: string,
    last: string,
  ): Promise<{ known: boolean; events: readonly Event[] }> {
    const entries = await available(
      this.#redis.xrange(keys.tenantEvents(tenant), last, "+", "COUNT", READ_COUNT + 1),
    );
    const known = entries[0]?.[0] === last;
    return {
      known: known || last === NO_ID,
      events: (known ? entries.slice(1) : entries).map(eventOf),
    };
  }

  /** The id of the tenant's last event. */
  async #tenantEnd(tenant: string): Promise<string> {
    const [entry] = await available(
      this.#redis.xrevrange(keys.tenantEvents(tenant), "+", "-", "COUNT", 1),
    );
    return entry?.[0] ?? NO_ID;
  }

  /** A reader who is cut off between two of them asks again for what comes after `before`. */
  async #snapshots(tenant: string, before: string, end: string): Promise<readonly Event[]> {
    const ids = await available(
      this.#redis.zrevrange(keys.tenantJobs(tenant), 0, SNAPSHOT_JOBS - 1),
    );
    const records = await readRecords(this.#redis, ids);
    return records.map((record, index) =>
      snapshotOf(record, index === records.length - 1 ? end : before),
    );
  }
}

const JOB_ID = /^\d{1,15}$/;
const TENANT_ID = /^\d{1,15}-\d{1,15}$/;
/** What comes before all that a stream can hold. */
const NO_ID = "0-0";

/** Anything but a number of ours is treated as if nothing had been sent. */
const parseSeq = (id: string | undefined): number | undefined =>
  id !== undefined && JOB_ID.test(id) ? Number(id) : undefined;

/** Entries are written by `append` in scripts.ts alone: fields type and data, in this order. */
function eventOf([id, [, type = "", , data = "{}"]]: Entry): Event {
  return { id, type, data: JSON.parse(data) as Record<string, unknown> };
}

const snapshotOf = (record: JobRecord, id: string): Event => ({
  id,
  type: "snapshot",
  data: { jobId: record.id, time: new Date().toISOString(), job: viewOf(record) },
});

/** The replies of a transaction, if it was executed. */
async function execute(transaction: ChainableCommander): Promise<readonly unknown[]> {
  const replies = (await available(transaction.exec())) ?? [];
  return replies.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}
