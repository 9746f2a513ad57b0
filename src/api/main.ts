// An API process: wires what answers requests, listens, and closes it all in order.

import { once } from "node:events";
import { flushCompileCache } from "node:module";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { loadConfig, type Config } from "../config.ts";
import { hostPlatform } from "../image/platform.ts";
import { Bell } from "../jobs/bell.ts";
import { RedisBlobInfoCache } from "../jobs/blob-info-cache.ts";
import { Events } from "../jobs/events.ts";
import { JobQueue } from "../jobs/queue.ts";
import { RedisPaceStore } from "../jobs/redis-pace.ts";
import { RedisSemaphores } from "../jobs/redis-semaphore.ts";
import { connect } from "../jobs/redis.ts";
import { Sealer } from "../jobs/secrets.ts";
import { Jobs } from "../jobs/store.ts";
import { startSweep } from "../jobs/sweep.ts";
import { createLogger } from "../logger.ts";
import { DockerEngine } from "../transport/docker-daemon/engine.ts";
import { Registries } from "../transport/docker/registries.ts";
import type { App } from "./app.ts";
import { buildServer } from "./server.ts";

const SWEEP_MS = 10_000;
const CONNECT_MS = 2000;
/** A registry in which nothing moves is given up before the request that waits for it is. */
const STALL_MS = 20_000;
/** How long requests that run may go on while the process closes: more than a store that is away can keep them. */
const GRACE_MS = 5000;

export interface RunningApi {
  readonly url: string;
  /** Takes no more requests, ends all streams, lets running requests end. */
  close(): Promise<void>;
}

/** Answers at `url` once this resolves, whether or not Redis does. Throws where the address cannot be had. */
export async function startApi(config: Config, logger: Logger): Promise<RunningApi> {
  const redis = connect(config.redisUrl, "hasty");
  // Where the store is there, not even the first request is to find it away; where it is not, this ends at once.
  const connected = once(redis, "ready", { signal: AbortSignal.timeout(CONNECT_MS) }).catch(
    () => {},
  );
  const subscriber = connect(config.redisUrl, "patient");
  const queue = new JobQueue(config.redisUrl, "hasty");
  const bell = new Bell(subscriber);
  const sealer = Sealer.parse(config.secretsKeys);
  const jobs = new Jobs({ redis, queue, sealer });
  const events = new Events({ redis, bell });
  const registries = new Registries(
    config.egress,
    { stallMs: STALL_MS },
    {
      ...config.registryFiles,
      onFault: (error) =>
        logger.error(
          { err: error },
          "a file cannot be used as it is now: what it said before stays in force",
        ),
    },
    new RedisPaceStore(redis, sealer),
  );
  const engine = new DockerEngine(config.docker);
  const semaphores = new RedisSemaphores({ redis, subscriber });
  const closing = new AbortController();
  const app = await buildServer({
    jobs,
    events,
    bell,
    sealer,
    redis,
    dataDir: config.dataDir,
    registries,
    engine,
    policy: config.policy,
    exclusive: (name) => semaphores.get(name, 1),
    host: hostPlatform(process.arch, process.platform),
    cacheOf: (tenant) =>
      new RedisBlobInfoCache({
        redis,
        tenant,
        onError: (error) =>
          logger.warn({ err: error, tenant }, "what is known of blobs is not told"),
      }),
    apiKeys: config.apiKeys,
    closing: closing.signal,
    logger,
  });
  const failed = (error: unknown) => logger.warn({ err: error }, "a sweep was cut short");
  const sweep = startSweep({ redis, jobs, queue, everyMs: SWEEP_MS, failed });
  const close = async () => {
    closing.abort();
    await closeServer(app);
    await sweep[Symbol.asyncDispose]();
    await semaphores[Symbol.asyncDispose]();
    await registries[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await bell[Symbol.asyncDispose]();
    await queue[Symbol.asyncDispose]();
    for (const client of [subscriber, redis]) client.disconnect();
  };
  await connected;
  try {
    await app.listen({
      host: config.host,
      port: config.port,
      listenTextResolver: (address) => `API ready at ${address}`,
    });
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    close,
  };
}

/** Fastify closes connections that are idle at first; those that become so later, or never, are closed here. */
async function closeServer(app: App): Promise<void> {
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  const last = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(last);
  }
}

if (import.meta.main) {
  const config = loadConfig(process.env);
  const logger = createLogger(config, "api");
  const api = await startApi(config, logger);
  // Whoever is killed writes none.
  flushCompileCache();
  let closing: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals) => {
    closing ??= (async () => {
      logger.info({ signal }, "API stopping");
      await api.close();
      logger.info("API stopped");
      process.exit(0);
    })();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
