// The whole service as it runs for real: a Redis, an API process and worker processes, on loopback, with everything it keeps in
// one temporary folder.

import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/start/free-port.ts";
import type { JobView } from "../../src/jobs/view.ts";
import { startRedis } from "../../src/start/redis-server.ts";
import type { Timing } from "../../src/worker/main.ts";
import { answering, until } from "./peers.ts";

export interface ServiceOptions {
  readonly workers?: number;
  readonly blobConcurrency?: number;
  readonly workerConcurrency?: number;
  /** Leases shorter than the real ones, so that a test need not wait for them. */
  readonly timing?: Partial<Timing>;
  /** More settings. */
  readonly env?: NodeJS.ProcessEnv;
  /** Shows what the processes log. */
  readonly verbose?: boolean;
  /** Their API keys; absent: none is asked for. */
  readonly tenants?: Readonly<Record<string, string>>;
}

export interface Service extends AsyncDisposable {
  readonly url: string;
  readonly redisUrl: string;
  readonly dataDir: string;
  /** The workers that run now. */
  readonly workers: ReadonlySet<ChildProcess>;
  startWorker(): ChildProcess;
  /** Ends the API as a crash would, and starts it again at the same address. */
  restartApi(): Promise<void>;
  submit(job: object, headers?: Record<string, string>): Promise<JobView>;
  get(id: string, headers?: Record<string, string>): Promise<JobView>;
  /** The job once it is finished. */
  finished(id: string, withinMs?: number, headers?: Record<string, string>): Promise<JobView>;
}

const root = join(import.meta.dirname, "../..");

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const home = await mkdtemp(join(tmpdir(), "transship-service-"));
  const dataDir = join(home, "data");
  await mkdir(dataDir);
  await writeFile(join(home, "secrets.key"), randomBytes(32).toString("hex"), { mode: 0o600 });
  const redis = await startRedis({ dir: join(home, "redis"), appendfsync: "no" });
  const port = await freePort();
  const env = {
    ...process.env,
    REDIS_URL: redis.url,
    HOST: "127.0.0.1",
    PORT: String(port),
    DATA_DIR: dataDir,
    SECRETS_KEY_FILE: join(home, "secrets.key"),
    BLOB_CONCURRENCY: String(options.blobConcurrency ?? 6),
    WORKER_CONCURRENCY: String(options.workerConcurrency ?? 4),
    TEST_TIMING: JSON.stringify(options.timing ?? {}),
    ...(options.tenants !== undefined && (await writeKeys(home, options.tenants))),
    ...options.env,
  };
  const start = (file: string) =>
    spawn(process.execPath, [join(root, file)], {
      env,
      stdio: options.verbose === true ? "inherit" : "ignore",
    });
  const url = `http://127.0.0.1:${port}`;
  const workers = new Set<ChildProcess>();
  const startWorker = () => {
    const worker = start("test/support/worker-process.ts");
    workers.add(worker);
    worker.once("exit", () => workers.delete(worker));
    return worker;
  };
  let api = start("src/api/main.ts");
  for (let i = 0; i < (options.workers ?? 1); i++) startWorker();
  const service: Service = {
    url,
    redisUrl: redis.url,
    dataDir,
    workers,
    startWorker,
    restartApi: async () => {
      await killed(api, "SIGKILL");
      api = start("src/api/main.ts");
      await answering(`${url}/healthz`);
    },
    submit: async (job, headers = {}) => {
      const response = await fetch(`${url}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(job),
      });
      const body = await response.json();
      if (response.status !== 202) throw new Error(`not accepted: ${JSON.stringify(body)}`);
      return body as JobView;
    },
    get: async (id, headers = {}) =>
      (await (await fetch(`${url}/v1/jobs/${id}`, { headers })).json()) as JobView,
    finished: async (id, withinMs = 60_000, headers = {}) => {
      let job = await service.get(id, headers);
      await until(
        async () => (job = await service.get(id, headers)).finishedAt !== null,
        withinMs,
        `job ${id} is still ${job.status}`,
      );
      return job;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([api, ...workers].map((child) => killed(child, "SIGKILL")));
      await redis[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
  try {
    await answering(`${url}/healthz`);
    return service;
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where there are tenants, loopback must be allowed in so many words. */
async function writeKeys(home: string, tenants: Readonly<Record<string, string>>) {
  const file = join(home, "api-keys");
  const lines = Object.entries(tenants).map(([tenant, key]) => `${tenant}:${key}\n`);
  await writeFile(file, lines.join(""), { mode: 0o600 });
  return { API_KEYS_FILE: file, PRIVATE_NETWORKS: "127.0.0.0/8,::1/128" };
}

/** Ends a child that we started, and waits until it has ended. */
export async function killed(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}
