// BullMQ carries names of jobs to workers, and shows through nowhere else: what a job is and how it stands is in its record.

import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { JobRecord } from "./record.ts";
import { connect } from "./redis.ts";

export const QUEUE = "jobs";
export const QUEUE_PREFIX = "{transship}";

/** All that BullMQ knows of a job. */
export interface QueueData {
  readonly id: string;
  readonly run: number;
}

/** BullMQ takes the lower number first, and 0 before all: the usual (0 with us) goes behind the urgent (1, 2 …). */
const USUAL_PRIORITY = 1000;
/** Longer than a hasty connection waits for an answer. */
const HASTY_LIMIT_MS = 3000;

/** The name of one run of a job in the queue: adding it twice adds it once. */
const nameOf = ({ id, run }: QueueData): string => `${id}.${run}`;

export class JobQueue implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue<QueueData>;
  readonly #limitMs: number | undefined;

  /** Makes its own connection. "hasty": every call fails after a few seconds at most. */
  constructor(url: string, kind: "patient" | "hasty") {
    this.#redis = connect(url, kind);
    this.#queue = new Queue<QueueData>(QUEUE, { connection: this.#redis, prefix: QUEUE_PREFIX });
    this.#queue.on("error", () => {});
    this.#limitMs = kind === "hasty" ? HASTY_LIMIT_MS : undefined;
  }

  /** Once this resolves, a worker will get the job's current run. Nothing happens if it is in the queue already. */
  async enqueue(record: JobRecord): Promise<void> {
    const { attempts, priority } = record.spec;
    await this.#inTime(
      this.#queue.add("copy", dataOf(record), {
        jobId: nameOf(record),
        attempts,
        backoff: { type: "custom" },
        priority: priority === 0 ? USUAL_PRIORITY : Math.min(priority, USUAL_PRIORITY - 1),
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
  }

  /** Whether the job's current run waits in the queue or is with a worker. */
  async has(record: QueueData): Promise<boolean> {
    return (await this.#inTime(this.#queue.getJob(nameOf(record)))) !== undefined;
  }

  /** Takes the job's current run out of the queue. A run that a worker has stays with it. */
  async remove(record: JobRecord): Promise<void> {
    await this.#inTime(this.#queue.remove(nameOf(record)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Where Redis is away, BullMQ would wait for it before it closes.
    if (this.#redis.status === "ready") await this.#queue.close();
    this.#redis.disconnect();
  }

  /** BullMQ waits for a connection however long that takes, even if the connection itself is hasty. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    if (this.#limitMs === undefined) return await answer;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error("Command timed out")), this.#limitMs);
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const dataOf = ({ id, run }: JobRecord): QueueData => ({ id, run });
