// The Redis of npm start where REDIS_URL names none: one a clone, its data in the clone. A note beside the data says who runs it, so
// that a second npm start does not write to the same files, and one after a crash finds the Redis that was left running.

import { Redis } from "ioredis";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis, type RedisServer } from "./redis-server.ts";

/** Who runs; `redis` once it does. */
interface Note {
  readonly pid: number;
  readonly redis?: { readonly url: string; readonly pid: number };
}

/** The npm start that has this clone's Redis already. */
export class RunsAlready extends Error {
  constructor(pid: number) {
    super(
      `transship is running here already (process ${pid}). Stop that one, or give this one another Redis in REDIS_URL and another PORT.`,
    );
  }
}

/** How often the Redis is looked at, in ms. */
const LOOK_MS = 1000;

export interface OwnRedis extends AsyncDisposable {
  readonly url: string;
  /** Ends it at once: what was acknowledged is on disk. */
  kill(): void;
}

/**
 * Starts the clone's Redis, or adopts the one that a crashed process left, and starts it again should it die. `lost` hears of a
 * death; with an error, if there is no Redis any more. Throws `RunsAlready`, or what startRedis throws.
 */
export async function ownRedis(folder: string, lost: (error?: unknown) => void): Promise<OwnRedis> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const note = join(folder, "running.json");
  const left = await takeNote(note);
  const start = () => startRedis({ dir: join(folder, "redis") });
  const record = ({ url, pid }: RedisServer) =>
    writeFile(note, JSON.stringify({ pid: process.pid, redis: { url, pid } } satisfies Note));
  try {
    let redis = (left && (await adopt(left))) ?? (await start());
    await record(redis);
    const stop = new AbortController();
    const watching = watch(
      stop.signal,
      () => redis.pid,
      lost,
      async () => {
        await redis[Symbol.asyncDispose]();
        const { url } = redis;
        redis = await start();
        await record(redis);
        if (redis.url !== url)
          throw new Error("Redis had to be started at another address; start again");
      },
    );
    return {
      url: redis.url,
      kill: () => void signal(redis.pid, "SIGKILL"),
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await watching;
        await redis[Symbol.asyncDispose]();
        await rm(note, { force: true });
      },
    };
  } catch (error) {
    await rm(note, { force: true });
    throw error;
  }
}

/** Looks whether the process is alive, and starts another if not. Never rejects. */
async function watch(
  stop: AbortSignal,
  pid: () => number,
  lost: (error?: unknown) => void,
  restart: () => Promise<void>,
): Promise<void> {
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return;
    if (isAlive(pid())) continue;
    lost();
    try {
      await restart();
    } catch (error) {
      lost(error);
      return;
    }
  }
}

/** Makes the note ours. Returns the Redis that the note's last owner left behind, if it says so. */
async function takeNote(file: string): Promise<Note["redis"]> {
  const ours = JSON.stringify({ pid: process.pid } satisfies Note);
  for (;;) {
    try {
      await writeFile(file, ours, { flag: "wx", mode: 0o600 });
      return undefined;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const { pid, redis } = await readNote(file);
    if (pid !== undefined && (await isOneOfUs(pid))) throw new RunsAlready(pid);
    if (redis !== undefined) {
      await writeFile(file, JSON.stringify({ pid: process.pid, redis } satisfies Note));
      return redis;
    }
    await rm(file, { force: true });
  }
}

/** What is readable of a note; a crash may have cut it short. */
async function readNote(file: string): Promise<Partial<Note>> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Partial<Note>;
  } catch {
    return {};
  }
}

/** A process id may since have gone to another program: where the system shows command lines, they are believed. */
async function isOneOfUs(pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  if (existsSync("/proc/self/cmdline")) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return commandLine.includes("main.ts");
  }
  return isAlive(pid);
}

async function adopt({
  url,
  pid,
}: {
  readonly url: string;
  readonly pid: number;
}): Promise<RedisServer | undefined> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    const found = /process_id:(\d+)/.exec(await redis.info("server"))?.[1];
    if (Number(found) !== pid) return undefined;
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
  return { url, pid, [Symbol.asyncDispose]: () => end(pid) };
}

/** SIGTERM, and waits for the end of a process that is nobody's child. */
async function end(pid: number): Promise<void> {
  signal(pid, "SIGTERM");
  while (isAlive(pid)) await sleep(20);
}

const isAlive = (pid: number): boolean => signal(pid, 0);

/** False if there is no such process, or none of ours. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
