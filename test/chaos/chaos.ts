// Many jobs, several workers, few permits; and, where asked for, workers that are killed at random all the while. The registries count
// what is in flight, so that the judge is not the one who is judged.

import { Redis } from "ioredis";
import { PREFIX } from "../../src/jobs/redis.ts";
import type { Timing } from "../../src/worker/main.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { killed, startService, type Service } from "../support/service.ts";
import { until } from "../support/peers.ts";

export interface ChaosOptions {
  readonly jobs: number;
  /** Of each image; its config comes besides. */
  readonly layers: number;
  readonly workers: number;
  readonly blobConcurrency: number;
  /** How long each blob takes, sent and received. */
  readonly blobMs: number;
  /** A random worker is killed so often, until all jobs are finished; absent: none is. */
  readonly killEveryMs?: number;
  readonly timing?: Partial<Timing>;
  readonly withinMs: number;
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly kills: number;
  readonly seconds: number;
  /** By status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  /** Jobs whose image is not whole at the destination. */
  readonly incomplete: number;
  readonly peak: { readonly downloads: number; readonly uploads: number };
  /** Blobs that were uploaded more than once, because a worker died over them. */
  readonly uploads: number;
  readonly blobs: number;
  /** Permits and waiters that are left when all is done. */
  readonly left: number;
}

export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  await using source = await startRegistry({ delayMs: options.blobMs });
  await using destination = await startRegistry({ delayMs: options.blobMs });
  const { workers, blobConcurrency, timing } = options;
  await using service = await startService({
    workers,
    blobConcurrency,
    workerConcurrency: Math.ceil(options.jobs / workers),
    ...(timing !== undefined && { timing }),
  });
  const images = Array.from({ length: options.jobs }, (_, i) =>
    makeImage({ layers: options.layers, seed: `chaos ${i}` }),
  );
  images.forEach((image, i) => source.put(`team/app${i}`, "1", image));

  const begun = performance.now();
  const side = { tlsVerify: false };
  const ids = await Promise.all(
    images.map(async (_, i) => {
      const job = {
        source: `docker://${source.host}/team/app${i}:1`,
        destination: `docker://${destination.host}/mirror/app${i}:1`,
        sourceContext: side,
        destinationContext: side,
      };
      return (await service.submit(job)).id;
    }),
  );
  const stop = new AbortController();
  const killing =
    options.killEveryMs === undefined
      ? Promise.resolve(0)
      : killWorkers(service, options.killEveryMs, stop.signal, options.say);
  const jobs = await Promise.all(ids.map((id) => service.finished(id, options.withinMs))).finally(
    () => stop.abort(),
  );
  const kills = await killing;
  const seconds = (performance.now() - begun) / 1000;

  const incomplete = images.filter((image, i) => {
    const manifest = destination.manifest(`mirror/app${i}`, "1");
    return (
      manifest === undefined ||
      !manifest.bytes.equals(image.manifest.bytes) ||
      [...image.blobs].some(
        ([digest, bytes]) => !destination.blob(`mirror/app${i}`, digest)?.equals(bytes),
      )
    );
  }).length;
  return {
    kills,
    seconds,
    statuses: countBy(jobs.map((job) => job.status)),
    errors: jobs.flatMap((job) =>
      job.error === null ? [] : [`${job.error.code}: ${job.error.detail}`],
    ),
    incomplete,
    peak: { downloads: source.peak.downloads, uploads: destination.peak.uploads },
    uploads: destination.requests.filter(
      (request) => request.method === "PUT" && request.kind === "uploads" && request.status === 201,
    ).length,
    blobs: images.reduce((sum, image) => sum + image.blobs.size, 0),
    left: await permitsLeft(service.redisUrl, timing?.leaseMs ?? 10_000),
  };
}

async function killWorkers(
  service: Service,
  everyMs: number,
  signal: AbortSignal,
  say?: (line: string) => void,
): Promise<number> {
  let kills = 0;
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs * (0.5 + Math.random()));
      signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
    const victims = [...service.workers];
    const victim = victims[Math.floor(Math.random() * victims.length)];
    if (signal.aborted || victim === undefined) continue;
    await killed(victim, "SIGKILL");
    service.startWorker();
    kills++;
    say?.(`killed worker ${victim.pid} (${kills})`);
  }
  return kills;
}

/** Permits of the dead lapse within a lease: how many are held or waited for once that is over. */
async function permitsLeft(url: string, leaseMs: number): Promise<number> {
  const redis = new Redis(url);
  const count = async () => {
    const keys = (await redis.keys(`${PREFIX}semaphore:*`)).filter(
      (key) => !key.endsWith(":ticket") && !key.endsWith(":tickets"),
    );
    const sizes = await Promise.all(
      keys.map(async (key) => ((await redis.type(key)) === "zset" ? redis.zcard(key) : 0)),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  try {
    await until(async () => (await count()) === 0, leaseMs * 2, "permits are left").catch(() => {});
    return await count();
  } finally {
    redis.disconnect();
  }
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
