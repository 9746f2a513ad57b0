// A private Redis for whoever has none: a child process that keeps its data in one folder and, unless a port is asked for, can be
// reached over a Unix socket only. For npm start, the demo and the tests.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Redis } from "ioredis";

export interface RedisServer extends AsyncDisposable {
  /** What `connect` takes: a redis:// URL, or the path of a Unix socket. */
  readonly url: string;
  readonly pid: number;
}

export interface RedisServerOptions {
  /** Where its data is kept; made if it is not there. */
  readonly dir: string;
  /** Of the loopback address. Absent: a Unix socket only. */
  readonly port?: number;
  /** Default `always`: what is acknowledged survives a power failure. */
  readonly appendfsync?: "always" | "everysec" | "no";
}

/** A Unix socket's path has room for so many bytes in the kernel's structure (unix(7)). */
const SOCKET_PATH_LIMIT = 107;
const START_TIMEOUT_MS = 30_000;

/**
 * Starts a redis-server or valkey-server from PATH and waits until it answers. Disposing of it ends it, with its data on disk.
 * Throws a sentence that says what to install, or what the server said when it would not start.
 */
export async function startRedis(options: RedisServerOptions): Promise<RedisServer> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const { url, args, clean } = await listenAt(dir, options.port);
  let stop = clean;
  try {
    const persistence = [
      "--appendonly",
      "yes",
      "--appendfsync",
      options.appendfsync ?? "always",
      "--save",
      "",
    ];
    const child = await spawnServer([
      ...args,
      "--dir",
      dir,
      ...persistence,
      "--maxmemory-policy",
      "noeviction",
      "--daemonize",
      "no",
    ]);
    const ended = once(child, "close");
    stop = async () => {
      child.kill("SIGTERM");
      await ended;
      await clean();
    };
    await answers(url, ended, lastWords(child));
    return { url, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In a process group of its own: Ctrl-C is meant for those who use it, and who end it when they are through. */
async function spawnServer(args: readonly string[]): Promise<ChildProcess> {
  for (const program of ["redis-server", "valkey-server"]) {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    try {
      await once(child, "spawn");
      return child;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  throw new Error(
    "neither redis-server nor valkey-server is on PATH: install one (Debian: `sudo apt-get install redis-server`), or set REDIS_URL to a Redis that runs",
  );
}

/** Where the server is to listen; `clean` removes what had to be made for it outside its folder. */
async function listenAt(
  dir: string,
  port: number | undefined,
): Promise<{ url: string; args: string[]; clean: () => Promise<void> }> {
  if (port !== undefined) {
    return {
      url: `redis://127.0.0.1:${port}`,
      args: ["--bind", "127.0.0.1", "--port", String(port)],
      clean: async () => {},
    };
  }
  const near = join(dir, "redis.sock");
  const fits = Buffer.byteLength(near) <= SOCKET_PATH_LIMIT;
  const folder = fits ? dir : await mkdtemp(join(tmpdir(), "transship-redis-"));
  const socket = join(folder, "redis.sock");
  return {
    url: socket,
    args: ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"],
    clean: async () => {
      if (!fits) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the server wrote last, for the message if it does not start. Reading also keeps its pipe from filling up. */
function lastWords(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-2000);
    });
  }
  return () => text.trim();
}

/** Waits for the first PONG; a server that loads a large file answers LOADING until then. */
async function answers(url: string, ended: Promise<unknown>, said: () => string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableReadyCheck: false,
  });
  redis.on("error", () => {});
  const gone = ended.then(() => "ended" as const);
  try {
    for (;;) {
      const state = await Promise.race([gone, ping(redis)]);
      if (state === "ready") return;
      if (state === "ended") throw new Error(`the Redis server did not start: ${said()}`);
      if (performance.now() > deadline)
        throw new Error(`the Redis server did not answer within ${START_TIMEOUT_MS} ms: ${said()}`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  } finally {
    redis.disconnect();
  }
}

async function ping(redis: Redis): Promise<"ready" | "not yet"> {
  try {
    if (redis.status !== "ready") await redis.connect();
    await redis.ping();
    return "ready";
  } catch {
    return "not yet";
  }
}
