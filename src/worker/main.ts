// A worker process: takes jobs from the queue, runs them, gives them back when it is told to stop.

import { randomUUID } from "node:crypto";
import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import {
  DelayedError,
  UnrecoverableError,
  WaitingError,
  Worker,
  type Job as QueueJob,
} from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { loadConfig, type Config } from "../config.ts";
import { hostPlatform } from "../image/platform.ts";
import { Bell } from "../jobs/bell.ts";
import { RedisBlobInfoCache } from "../jobs/blob-info-cache.ts";
import { JobQueue, QUEUE, QUEUE_PREFIX, type QueueData } from "../jobs/queue.ts";
import { connect } from "../jobs/redis.ts";
import { RedisPaceStore } from "../jobs/redis-pace.ts";
import { RedisSemaphores } from "../jobs/redis-semaphore.ts";
import { Sealer } from "../jobs/secrets.ts";
import { SingleFlight } from "../jobs/single-flight.ts";
import { Jobs } from "../jobs/store.ts";
import { RedisUploadSessions } from "../jobs/upload-sessions.ts";
import { giveSign, SIGN_EVERY_MS, takeLeave, workerName } from "../jobs/workers.ts";
import { createLogger } from "../logger.ts";
import { DockerEngine } from "../transport/docker-daemon/engine.ts";
import { Registries } from "../transport/docker/registries.ts";
import { backoffMs } from "./backoff.ts";
import { Stopped } from "./recorder.ts";
import { runJob, type RunDeps } from "./run.ts";

/** All in ms. A dead worker's job is taken over after lockMs at the earliest, lockMs + 2 × stalledMs at the latest. */
export interface Timing {
  /** How long a permit lives without being renewed. */
  readonly leaseMs: number;
  /** How long the queue believes a silent worker. */
  readonly lockMs: number;
  readonly stalledMs: number;
  /** How long running jobs may go on after SIGTERM, before they are given to others. */
  readonly graceMs: number;
}

export const TIMING: Timing = {
  leaseMs: 10_000,
  lockMs: 15_000,
  stalledMs: 7_500,
  graceMs: 25_000,
};

export interface RunningWorker {
  /** Takes no more jobs, lets the running ones end for `graceMs`, hands back the rest. */
  close(): Promise<void>;
}

export async function startWorker(
  config: Config,
  logger: Logger,
  timing: Timing = TIMING,
): Promise<RunningWorker> {
  // A copy does not wait to hear what is known of a blob.
  const hasty = connect(config.redisUrl, "hasty");
  const redis = connect(config.redisUrl, "patient");
  const subscriber = connect(config.redisUrl, "patient");
  const queue = new JobQueue(config.redisUrl, "patient");
  const semaphores = new RedisSemaphores({ redis, subscriber, leaseMs: timing.leaseMs });
  const bell = new Bell(subscriber);
  const sealer = Sealer.parse(config.secretsKeys);
  const registries = new Registries(
    config.egress,
    {},
    {
      ...config.registryFiles,
      onFault: (error) =>
        logger.error(
          { err: error },
          "a file cannot be used as it is now: what it said before stays in force",
        ),
    },
    new RedisPaceStore(hasty, sealer),
  );
  const engine = new DockerEngine(config.docker);
  const deps: RunDeps = {
    jobs: new Jobs({ redis, queue, sealer }),
    bell,
    blobs: semaphores.get("blobs", config.blobConcurrency),
    flight: (name) => new SingleFlight(semaphores, name),
    exclusive: (name) => semaphores.get(name, 1),
    cacheOf: (tenant) =>
      new RedisBlobInfoCache({
        redis: hasty,
        tenant,
        onError: (error) =>
          logger.warn(
            { err: error, tenant },
            "the store did not say what is known of blobs: the copy goes on without it",
          ),
      }),
    uploadsOf: (tenant) =>
      new RedisUploadSessions({
        redis: hasty,
        sealer,
        tenant,
        onError: (error) =>
          logger.warn({ err: error, tenant }, "what is known of an upload is lost: it begins anew"),
      }),
    registries,
    engine,
    policy: config.policy,
    dataDir: config.dataDir,
    host: hostPlatform(process.arch, process.platform),
    logger,
  };
  const connection = connect(config.redisUrl, "patient");
  const worker = new Worker<QueueData>(
    QUEUE,
    (job, token, signal) => process_(deps, job, token, signal),
    {
      connection,
      prefix: QUEUE_PREFIX,
      concurrency: config.workerConcurrency,
      lockDuration: timing.lockMs,
      stalledInterval: timing.stalledMs,
      // Which jobs kill their workers is our own count (job.ts): the queue would fail innocent ones.
      maxStalledCount: 1_000_000,
      drainDelay: 1,
      settings: { backoffStrategy: (attempt, _type, error) => backoffMs(attempt, error) },
    },
  );
  // A store that is away is told of once, not with each try to reach it.
  worker.on("error", (error) => {
    if (!("syscall" in error)) logger.warn({ err: error }, "the queue");
  });
  const stopTelling = tellOfOutages(connection, logger);
  worker.on("lockRenewalFailed", (ids: string[]) =>
    ids.forEach((id) => worker.cancelJob(id, "lost")),
  );
  const stopSigns = startSigns(redis, logger);
  logger.info(
    { blobConcurrency: config.blobConcurrency, workerConcurrency: config.workerConcurrency },
    "worker ready",
  );

  return {
    close: async () => {
      // The order matters: a closing worker's own blocked read could take a job again that it has just given back.
      const closing = worker.close();
      await worker.getBackend().disconnectBlocking(true);
      const grace = setTimeout(() => worker.cancelAllJobs("shutdown"), timing.graceMs);
      await closing;
      clearTimeout(grace);
      stopTelling();
      await stopSigns();
      await bell[Symbol.asyncDispose]();
      await semaphores[Symbol.asyncDispose]();
      await registries[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      for (const client of [connection, subscriber, redis, hasty]) client.disconnect();
    },
  };
}

/** BullMQ hands over a signal only to a processor that declares three parameters. */
async function process_(
  deps: RunDeps,
  job: QueueJob<QueueData>,
  token: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stop = new AbortController();
  signal?.addEventListener(
    "abort",
    () => stop.abort(new Stopped(signal.reason === "shutdown" ? "shutdown" : "lost")),
    { once: true },
  );
  const outcome = await runJob(deps, { ...job.data, attempt: job.attemptsMade + 1 }, stop.signal);
  switch (outcome.type) {
    case "ended":
      return;
    case "retry":
      throw outcome.error;
    case "failed":
      throw new UnrecoverableError(outcome.error.message);
    case "handed-back":
      await job.moveToWait(token);
      throw new WaitingError();
    case "parked":
      // A job that was canceled meanwhile stays until then, and is found to be over.
      await job.moveToDelayed(outcome.until, token);
      throw new DelayedError();
  }
}

function tellOfOutages(redis: Redis, logger: Logger): () => void {
  let away = false;
  const lost = () => {
    if (!away) logger.warn("the store is away: running copies go on while their leases last");
    away = true;
  };
  const back = () => {
    if (away) logger.info("the store is back");
    away = false;
  };
  redis.on("close", lost).on("ready", back);
  return () => void redis.off("close", lost).off("ready", back);
}

/** For readiness and health checks. What it returns ends it. */
function startSigns(redis: Redis, logger: Logger): () => Promise<void> {
  const name = workerName(hostname(), randomUUID());
  const give = () =>
    void giveSign(redis, name).catch((error: unknown) =>
      logger.warn({ err: error }, "no sign of life could be given"),
    );
  give();
  const timer = setInterval(give, SIGN_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await takeLeave(redis, name).catch(() => {});
  };
}

if (import.meta.main) {
  const config = loadConfig(process.env);
  const logger = createLogger(config, "worker");
  const worker = await startWorker(config, logger);
  // Whoever is killed writes none.
  flushCompileCache();
  let closing: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals) => {
    closing ??= (async () => {
      logger.info({ signal }, "worker stopping");
      await worker.close();
      logger.info("worker stopped");
      process.exit(0);
    })();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
