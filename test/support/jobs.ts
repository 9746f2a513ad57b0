// Jobs, and what holds them, for tests.

import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Redis } from "ioredis";
import { Bell } from "../../src/jobs/bell.ts";
import { Events, type Event } from "../../src/jobs/events.ts";
import type { JobRecord, JobSecrets, JobSpec } from "../../src/jobs/record.ts";
import { JobQueue } from "../../src/jobs/queue.ts";
import { connect } from "../../src/jobs/redis.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { Jobs } from "../../src/jobs/store.ts";
import { DEFAULTS } from "./options.ts";
import { emptyRedis } from "./redis.ts";

export const SPEC: JobSpec = {
  source: "docker://source.example/app:1",
  destination: "docker://destination.example/app:1",
  options: DEFAULTS,
  sourceContext: { tlsVerify: true },
  destinationContext: {
    tlsVerify: true,
    acceptUncompressedLayers: false,
    dirForceCompress: false,
    dirForceDecompress: false,
  },
  priority: 0,
  attempts: 3,
  timeoutSeconds: 3600,
  labels: {},
};

export interface JobStore extends AsyncDisposable {
  readonly url: string;
  readonly redis: Redis;
  readonly queue: JobQueue;
  readonly jobs: Jobs;
  readonly events: Events;
  /** Orders a job of tenant "t" with SPEC, but for what is given. */
  submit(spec?: Partial<JobSpec>, tenant?: string, secrets?: JobSecrets): Promise<JobRecord>;
}

/** All that the API has, on an empty Redis. */
export async function jobStore(): Promise<JobStore> {
  const url = await emptyRedis();
  const redis = connect(url, "patient");
  const subscriber = connect(url, "patient");
  const queue = new JobQueue(url, "patient");
  const bell = new Bell(subscriber);
  const jobs = new Jobs({ redis, queue, sealer: Sealer.parse(randomBytes(32).toString("hex")) });
  return {
    url,
    redis,
    queue,
    jobs,
    events: new Events({ redis, bell }),
    submit: async (spec = {}, tenant = "t", secrets = {}) =>
      (await jobs.submit({ tenant, spec: { ...SPEC, ...spec }, secrets })).stored.record,
    [Symbol.asyncDispose]: async () => {
      await queue[Symbol.asyncDispose]();
      await bell[Symbol.asyncDispose]();
      subscriber.disconnect();
      redis.disconnect();
    },
  };
}

/** The events until the stream ends, or until there are `count`. */
export async function take(events: AsyncIterable<Event>, count = Infinity): Promise<Event[]> {
  const taken: Event[] = [];
  if (count === 0) return taken;
  for await (const event of events) if (taken.push(event) >= count) break;
  return taken;
}

/** Asks until the answer is yes; fails after ten seconds. */
export async function until(what: string, asked: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await asked())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await setTimeout(10);
  }
}
