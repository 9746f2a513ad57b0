// Many workers against one registry that takes so many requests a second. The registry counts, so that the judge is not the one who is
// judged.

import { setTimeout as sleep } from "node:timers/promises";
import type { JobView } from "../../src/jobs/view.ts";
import { makeImage } from "../support/images.ts";
import type { Limiter } from "../support/limiters.ts";
import type { Second } from "../support/registry-limits.ts";
import { until } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { startService } from "../support/service.ts";
import { sse } from "../support/sse.ts";

export interface RateOptions {
  readonly limiter: () => Limiter;
  /** Seconds, with each refusal; absent: none. */
  readonly retryAfter?: number;
  readonly workers: number;
  readonly jobs: number;
  /** Jobs at once in a worker: together they want far more than the registry takes. */
  readonly workerConcurrency: number;
  /** False: each worker is by itself, as if the store were away. */
  readonly paced?: boolean;
  readonly withinMs: number;
  /** Hears of each second that is over. */
  readonly told?: (second: number, seen: Second) => void;
}

export interface RateReport {
  readonly seconds: readonly Second[];
  /** The second in which so few jobs were left that they no longer wanted all that there is. */
  readonly busyUntil: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  /** Jobs whose image is not whole. */
  readonly incomplete: number;
  /** Why attempts failed that a later one made up for: parking is none of them. */
  readonly lost: readonly string[];
}

/** Copies images from one repository of the registry to another, all their blobs over the wire. */
export async function rate(options: RateOptions): Promise<RateReport> {
  const { limiter, retryAfter, workers, workerConcurrency } = options;
  const limits = { limiter, ...(retryAfter !== undefined && { retryAfter }) };
  await using registry = await startRegistry({ limits, quirks: ["no-mount"] });
  await using service = await startService({
    workers: 0,
    workerConcurrency,
    blobConcurrency: workers * workerConcurrency * 2,
    env: { TEST_PACED: String(options.paced ?? true) },
  });
  for (let i = 0; i < workers; i++) service.startWorker();
  await until(() => allReady(service.url, workers), 120_000, "not all workers came up");
  const images = Array.from({ length: options.jobs }, (_, i) =>
    makeImage({ layers: [2000, 3000, 4000], seed: `rate ${i}` }),
  );
  images.forEach((image, i) => registry.put(`team/app${i}`, "1", image));
  const done = new AbortController();
  const telling = tell(registry.limits.seconds, done.signal, options.told);
  const side = { tlsVerify: false };
  const ids: string[] = [];
  for (const i of images.keys()) {
    const job = {
      source: `docker://${registry.host}/team/app${i}:1`,
      destination: `docker://${registry.host}/mirror/app${i}:1`,
      sourceContext: side,
      destinationContext: side,
    };
    ids.push((await service.submit(job)).id);
  }
  const left = () =>
    images.filter((_, i) => registry.manifest(`mirror/app${i}`, "1") === undefined);
  const deadline = performance.now() + options.withinMs;
  let busyUntil = 0;
  // Asking the API all the time would keep the machine busy, and the registry from counting.
  for (let jobs = ids.length; jobs > 0 && performance.now() < deadline; jobs = left().length) {
    if (jobs >= (workers * workerConcurrency) / 2) busyUntil = registry.limits.seconds.length - 1;
    await sleep(250);
  }
  const jobs: JobView[] = [];
  for (const id of ids) jobs.push(await service.finished(id));
  done.abort();
  await telling;
  const incomplete = images.filter(
    (image, i) =>
      registry.manifest(`mirror/app${i}`, "1")?.digest !== image.digest ||
      [...image.blobs].some(
        ([digest, bytes]) => registry.blob(`mirror/app${i}`, digest)?.equals(bytes) !== true,
      ),
  ).length;
  return {
    seconds: registry.limits.seconds,
    busyUntil,
    statuses: Object.fromEntries(
      [...Map.groupBy(jobs, ({ status }) => status)].map(([status, all]) => [status, all.length]),
    ),
    errors: jobs.flatMap(({ error }) => (error === null ? [] : [`${error.code}: ${error.detail}`])),
    incomplete,
    lost: (
      await Promise.all(
        jobs
          .filter(({ attempt }) => attempt > 1)
          .map(({ links }) => failuresOf(service.url + links.events)),
      )
    ).flat(),
  };
}

async function allReady(url: string, workers: number): Promise<boolean> {
  const ready = (await (await fetch(`${url}/readyz`)).json()) as { workers?: number };
  return ready.workers === workers;
}

async function failuresOf(events: string): Promise<readonly string[]> {
  const failures: string[] = [];
  for await (const { type, data } of sse(events)) {
    const { job } = data as { job?: JobView };
    if (type === "retrying" && job?.parkedUntil === null)
      failures.push(`${job.error?.code}: ${job.error?.detail}`);
  }
  return failures;
}

async function tell(
  seconds: readonly Second[],
  done: AbortSignal,
  told: RateOptions["told"] = () => {},
): Promise<void> {
  for (let next = 0; !done.aborted;) {
    await sleep(1000, undefined, { signal: done }).catch(() => {});
    for (; next < seconds.length - 1; next++) told(next, seconds[next] as Second);
  }
}

export const sumOf = (seconds: readonly Second[], what: keyof Second): number =>
  seconds.reduce((sum, second) => sum + second[what], 0);
