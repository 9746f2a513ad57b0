// A real Redis for tests. The runner gives each test file a process of its own; each such process gets a server of its own, or, where
// REDIS_URL names one, a database of that server to itself, so that files run side by side.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout } from "node:timers/promises";
import { connect } from "../../src/jobs/redis.ts";
import { startRedis } from "../../src/start/redis-server.ts";

interface TestRedis {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

let started: Promise<TestRedis> | undefined;

// Here and not where it is started: a hook belongs to the test that runs while it is made.
after(async () => await (await started)?.stop());

/** Where an empty Redis is. It is emptied at each call, so tests of one file that use it must run one after another. */
export async function emptyRedis(): Promise<string> {
  started ??=
    process.env["REDIS_URL"] === undefined
      ? privateServer()
      : ownDatabase(process.env["REDIS_URL"]);
  const { url } = await started;
  const redis = connect(url, "patient");
  await redis.flushdb();
  redis.disconnect();
  return url;
}

async function privateServer(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), "transship-test-"));
  const server = await startRedis({ dir, appendfsync: "no" });
  const kill = () => process.kill(server.pid, "SIGKILL");
  process.once("exit", kill);
  return {
    url: server.url,
    stop: async () => {
      process.off("exit", kill);
      await server[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Database 0 keeps who has which of the others; a test process that died gives its own back after a minute. */
async function ownDatabase(base: string): Promise<TestRedis> {
  const redis = connect(base, "patient");
  const deadline = performance.now() + 120_000;
  while (performance.now() < deadline) {
    for (let number = 1; number < 16; number++) {
      const claim = `transship-test:database:${number}`;
      if ((await redis.set(claim, process.pid, "PX", 60_000, "NX")) !== "OK") continue;
      const renewal = setInterval(() => void redis.pexpire(claim, 60_000), 20_000);
      const url = new URL(base);
      url.pathname = `/${number}`;
      return {
        url: url.href,
        stop: async () => {
          clearInterval(renewal);
          await redis.del(claim);
          redis.disconnect();
        },
      };
    }
    await setTimeout(100);
  }
  throw new Error("all databases of the Redis at REDIS_URL are taken by other tests");
}
