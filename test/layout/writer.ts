// A process that writes images into one layout when it is told to, as a worker would: the whole engine, and the cluster's lock. Started by
// storm.ts with fork(); what it is to work with is the first argument.

import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { Semaphore } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { parseReference } from "../../src/image/reference.ts";
import { RedisSemaphores } from "../../src/jobs/redis-semaphore.ts";
import { connect } from "../../src/jobs/redis.ts";
import { accessTo } from "../../src/transport/access.ts";
import { DockerEngine } from "../../src/transport/docker-daemon/engine.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { openDestination } from "../../src/transport/open.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { MemorySource } from "../support/memory.ts";
import { DEFAULTS } from "../support/options.ts";

export interface WriterSetup {
  readonly dataDir: string;
  readonly redisUrl: string;
  readonly leaseMs: number;
  /** The negative control: everybody has the lock. */
  readonly lockless: boolean;
}

export interface WriteOrder {
  /** Of the layout's image. */
  readonly name: string;
  readonly seed: string;
}

/** Attempts besides the first that it took. */
export interface Written extends WriteOrder {
  readonly retries: number;
}

const ATTEMPTS = 20;

export const imageOf = (seed: string) => makeImage({ seed, layers: [64] });

async function serve(setup: WriterSetup): Promise<void> {
  const redis = connect(setup.redisUrl, "patient");
  const subscriber = connect(setup.redisUrl, "patient");
  const semaphores = new RedisSemaphores({ redis, subscriber, leaseMs: setup.leaseMs });
  const lockless: Semaphore = { run: (task, signal) => task(signal) };
  const deps = {
    dataDir: setup.dataDir,
    exclusive: (name: string) => (setup.lockless ? lockless : semaphores.get(name, 1)),
    registries: new Registries(LOOPBACK_TOO),
    engine: new DockerEngine({ host: "" }),
    host: { os: "linux", architecture: "amd64" },
  };
  const write = async ({ name, seed }: WriteOrder): Promise<void> => {
    const signal = new AbortController().signal;
    const access = accessTo("destination", { tlsVerify: true }, deps);
    await using destination = await openDestination(
      parseReference(`oci:shared:${name}`),
      access,
      signal,
    );
    await copyImage(
      {
        source: new MemorySource(imageOf(seed)),
        destination,
        platform: {},
        host: { os: "linux", architecture: "amd64" },
        compression: {},
        cache: NO_CACHE,
      },
      DEFAULTS,
      { blobs: new LocalSemaphore(6), report: () => {}, signal },
    );
  };
  process.on("message", (order: WriteOrder) => {
    void (async () => {
      for (let retries = 0; ; retries++) {
        const failure = await write(order).catch((error: unknown) => error);
        if (failure === undefined) return process.send?.({ ...order, retries } satisfies Written);
        // As the queue would: a lease that lapsed while the process was frozen, an index that was taken out of its hands.
        if (retries === ATTEMPTS) throw failure;
      }
    })();
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.("ready");
}

if (import.meta.main) await serve(JSON.parse(process.argv[2] ?? "") as WriterSetup);
