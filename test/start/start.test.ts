import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { secretsKeyFile } from "../../src/main.ts";
import { ownRedis, RunsAlready } from "../../src/start/own-redis.ts";
import { Supervisor } from "../../src/start/supervisor.ts";
import { until } from "../support/peers.ts";

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "transship-start-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

interface Note {
  readonly pid: number;
  readonly redis: { readonly url: string; readonly pid: number };
}
const noteOf = async (path: string) =>
  JSON.parse(await readFile(join(path, "running.json"), "utf8")) as Note;

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 3 });
  redis.on("error", () => {});
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

test("the secrets key is made once, for this user only", async () => {
  await using home = await folder();
  const file = await secretsKeyFile(home.path);
  const key = await readFile(file, "utf8");
  assert.match(key, /^[0-9a-f]{64}\n$/);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal(await secretsKeyFile(home.path), file);
  assert.equal(await readFile(file, "utf8"), key);
});

test("a Redis that is killed is started again at its address, with what was acknowledged", async () => {
  await using home = await folder();
  let lost = 0;
  await using redis = await ownRedis(home.path, () => (lost += 1));
  await ask(redis.url, (client) => client.set("kept", "yes"));
  const { pid } = (await noteOf(home.path)).redis;
  process.kill(pid, "SIGKILL");
  await until(async () => (await noteOf(home.path)).redis.pid !== pid, 10_000, "no new Redis");
  assert.equal(await ask(redis.url, (client) => client.get("kept")), "yes");
  assert.equal(lost, 1);
});

test("a second start in the same clone is refused while the first one runs", async () => {
  await using home = await folder();
  // Stands for another npm start: a process whose command line says so.
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "main.ts"]);
  await once(other, "spawn");
  await writeFile(join(home.path, "running.json"), JSON.stringify({ pid: other.pid }));
  await assert.rejects(
    ownRedis(home.path, () => {}),
    RunsAlready,
  );
  other.kill();
  await once(other, "exit");
  await using redis = await ownRedis(home.path, () => {});
  assert.equal(await ask(redis.url, (client) => client.ping()), "PONG");
});

test("the Redis that a crashed start left running is adopted, and ended at the end", async () => {
  await using home = await folder();
  const program = `import { ownRedis } from ${JSON.stringify(join(import.meta.dirname, "../../src/start/own-redis.ts"))};
    await ownRedis(${JSON.stringify(home.path)}, () => {}); process.kill(process.pid, "SIGKILL");`;
  await once(spawn(process.execPath, ["--input-type=module", "-e", program]), "exit");
  const left = (await noteOf(home.path)).redis;
  {
    await using redis = await ownRedis(home.path, () => {});
    assert.equal(redis.url, left.url);
    assert.equal(
      await ask(
        redis.url,
        async (client) => /process_id:(\d+)/.exec(await client.info("server"))?.[1],
      ),
      String(left.pid),
    );
  }
  assert.throws(() => process.kill(left.pid, 0));
});

test("a child that ends is started again after a second, and all end with their supervisor", async () => {
  await using home = await folder();
  const file = join(home.path, "child.mjs");
  await writeFile(file, "setInterval(() => {}, 1000)");
  const deaths: unknown[] = [];
  const supervisor = new Supervisor({
    env: process.env,
    output: "inherit",
    died: (...what) => deaths.push(what),
  });
  supervisor.run("child", file);
  const [first = 0] = supervisor.pids;
  process.kill(first, "SIGKILL");
  await until(
    () => supervisor.pids.length === 1 && supervisor.pids[0] !== first,
    10_000,
    "not started again",
  );
  assert.deepEqual(deaths, [["child", "SIGKILL", 1000]]);
  const [second = 0] = supervisor.pids;
  await supervisor[Symbol.asyncDispose]();
  assert.deepEqual(supervisor.pids, []);
  assert.throws(() => process.kill(second, 0));
});
