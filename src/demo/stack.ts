// Everything the demo needs, in one temporary folder and on free ports of the loopback interface.

import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { freePort } from "../start/free-port.ts";
import { startProcesses, untilReady } from "../start/processes.ts";
import { startRedis } from "../start/redis-server.ts";
import { Supervisor } from "../start/supervisor.ts";
import type { DemoImage } from "./image.ts";
import { startLink } from "./link.ts";
import { startRegistry } from "./registry.ts";

export const WORKERS = 2;

export interface Stack extends AsyncDisposable {
  readonly api: string;
  /** Each `host:port`: as jobs reach it, and without the slow line. Undefined where there is no program for one. */
  readonly registry: { readonly host: string; readonly direct: string } | undefined;
  /** What paths in references are below; the image is its `image`. */
  readonly dataDir: string;
  /** The last lines of what the service logged. */
  log(): Promise<string>;
}

/** Starts a Redis, the API, workers and a registry. `linkRate`, in bytes a second, is how fast the registry's line is; 0: no limit. */
export async function startStack(
  image: DemoImage,
  linkRate: number,
  signal: AbortSignal,
): Promise<Stack> {
  await using starting = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "transship-demo-"));
  starting.defer(() => rm(home, { recursive: true, force: true }));
  const dataDir = join(home, "data");
  await mkdir(dataDir);
  await cp(image.folder, join(dataDir, "image"), {
    recursive: true,
    filter: (path) => basename(path) !== "demo.json",
  });
  await writeFile(join(home, "secrets.key"), randomBytes(32).toString("hex"), { mode: 0o600 });

  const registry = await startRegistry(join(home, "registry"), signal);
  if (registry !== undefined) starting.use(registry);
  const link =
    registry !== undefined && linkRate > 0
      ? starting.use(await startLink(registry.port, linkRate))
      : undefined;
  const redis = starting.use(await startRedis({ dir: join(home, "redis") }));
  const log = starting.use(await open(join(home, "service.log"), "a"));
  const port = await freePort();
  const { API_KEYS_FILE: _, ...environment } = process.env;
  const env = {
    ...environment,
    REDIS_URL: redis.url,
    HOST: "127.0.0.1",
    PORT: String(port),
    DATA_DIR: dataDir,
    SECRETS_KEY_FILE: join(home, "secrets.key"),
    LOG_LEVEL: "info",
  };
  const supervisor = starting.use(new Supervisor({ env, output: log.fd, died: () => {} }));
  // Whoever interrupts the demo does not wait for its copy.
  signal.addEventListener("abort", () => supervisor.kill(), { once: true });
  startProcesses(supervisor, WORKERS);
  const api = `http://127.0.0.1:${port}`;
  const lastLog = async () =>
    (await readFile(join(home, "service.log"), "utf8")).split("\n").slice(-12).join("\n");
  try {
    await untilReady(api, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error(
      `${error instanceof Error ? error.message : String(error)}\n${await lastLog()}`,
      { cause: error },
    );
  }
  const resources = starting.move();
  const direct = `127.0.0.1:${registry?.port}`;
  const reached = registry && { host: link?.host ?? direct, direct };
  return {
    api,
    registry: reached,
    dataDir,
    log: lastLog,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
