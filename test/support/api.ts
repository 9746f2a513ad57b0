// An API process's server inside the test: a real Redis, a real port, everything it logs kept. No worker: tests move jobs along.

import { randomBytes, createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { startApi, type RunningApi } from "../../src/api/main.ts";
import type { Config } from "../../src/config.ts";
import type { Change } from "../../src/jobs/job.ts";
import type { JobRecord, Problem } from "../../src/jobs/record.ts";
import type { JobView } from "../../src/jobs/view.ts";
import { JobQueue } from "../../src/jobs/queue.ts";
import { connect } from "../../src/jobs/redis.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { Jobs } from "../../src/jobs/store.ts";
import { createLogger } from "../../src/logger.ts";
import { LOOPBACK_TOO } from "./egress.ts";
import { emptyRedis } from "./redis.ts";

export interface ApiOptions {
  /** Keys by tenant; absent: none is asked for. */
  readonly tenants?: Readonly<Record<string, string>>;
  /** A Redis of the test's own; absent: an empty one. */
  readonly redisUrl?: string;
  /** Absent: a folder that does not exist. */
  readonly dataDir?: string;
  readonly policy?: Config["policy"];
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface TestApi extends AsyncDisposable {
  readonly url: string;
  readonly redis: Redis;
  /** The same jobs as the server's. */
  readonly jobs: Jobs;
  /** All that was logged, at the lowest level. */
  readonly log: readonly string[];
  request<T = Record<string, unknown>>(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer<T>>;
  /** Orders a job and gives it back; fails unless it is accepted. */
  submit(body?: object, headers?: Record<string, string>): Promise<JobView>;
  change(id: string, decide: (record: JobRecord) => Change | undefined): Promise<JobRecord>;
  countJobs(): Promise<number>;
  /** Closes the server and starts another at the same port. */
  restart(): Promise<void>;
}

export const ORDER = {
  source: "docker://source.example/app:1",
  destination: "docker://destination.example/app:1",
} as const;

export async function startTestApi(options: ApiOptions = {}): Promise<TestApi> {
  const redisUrl = options.redisUrl ?? (await emptyRedis());
  const secretsKeys = randomBytes(32).toString("hex");
  const tenants = Object.entries(options.tenants ?? {}).map(
    ([tenant, key]) => [createHash("sha256").update(key).digest("hex"), tenant] as const,
  );
  const config: Config = {
    host: "127.0.0.1",
    port: 0,
    redisUrl,
    logLevel: "trace",
    registryFiles: {},
    docker: { host: "unix:///nonexistent" },
    dataDir: options.dataDir ?? "/nowhere",
    egress: LOOPBACK_TOO,
    apiKeys: tenants.length === 0 ? undefined : new Map(tenants),
    secretsKeys,
    policy: options.policy,
    blobConcurrency: 1,
    workerConcurrency: 1,
    workers: 1,
  };
  const log: string[] = [];
  const logger = createLogger(config, "api", { write: (line) => void log.push(line) });
  let api: RunningApi = await startApi(config, logger);
  const redis = connect(redisUrl, "patient");
  const queue = new JobQueue(redisUrl, "patient");
  const jobs = new Jobs({ redis, queue, sealer: Sealer.parse(secretsKeys) });
  const test: TestApi = {
    url: api.url,
    redis,
    jobs,
    log,
    request: (method, path, asked = {}) => ask(`${test.url}${path}`, method, asked),
    submit: async (body = ORDER, headers = {}) => {
      const answer = await test.request<JobView>("POST", "/v1/jobs", { body, headers });
      if (answer.status !== 202) throw new Error(`not accepted: ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    change: async (id, decide) => {
      const stored = await jobs.change(id, decide);
      if (stored === undefined) throw new Error("nothing was changed");
      return stored.record;
    },
    countJobs: async () => (await redis.keys("{transship}:job:*")).length,
    restart: async () => {
      await api.close();
      api = await startApi({ ...config, port: Number(new URL(test.url).port) }, logger);
    },
    [Symbol.asyncDispose]: async () => {
      await api.close();
      await queue[Symbol.asyncDispose]();
      redis.disconnect();
    },
  };
  return test;
}

/** A body that is text is sent as it is, anything else as JSON. */
async function ask<T>(
  url: string,
  method: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> },
): Promise<Answer<T>> {
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") === true && text !== "";
  return {
    status: response.status,
    headers: response.headers,
    body: (json ? JSON.parse(text) : text) as T,
  };
}

/** A problem document of this status and code; returns it. */
export function problemIn({ status, headers, body }: Answer<unknown>): Problem {
  if (!headers.get("content-type")?.startsWith("application/problem+json"))
    throw new Error(`no problem document: ${status} ${JSON.stringify(body)}`);
  const problem = body as Problem;
  if (problem.status !== status)
    throw new Error(`the document says ${problem.status}, the answer ${status}`);
  return problem;
}

/** What follows from moving a job along as a worker does. */
export const now = (): string => new Date().toISOString();
