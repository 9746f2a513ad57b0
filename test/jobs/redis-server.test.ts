import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../src/start/free-port.ts";
import { connect } from "../../src/jobs/redis.ts";
import { startRedis } from "../../src/start/redis-server.ts";

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "transship-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function settings(url: string): Promise<Record<string, string>> {
  const redis = connect(url, "patient");
  const entries = await Promise.all(
    ["appendonly", "appendfsync", "save", "maxmemory-policy", "port", "bind"].map(async (name) => {
      const [, value] = (await redis.config("GET", name)) as [string, string];
      return [name, value] as const;
    }),
  );
  redis.disconnect();
  return Object.fromEntries(entries);
}

test("by default it listens on a socket only, in a folder of its owner's, and keeps everything", async () => {
  await using dir = await folder();
  await using server = await startRedis({ dir: join(dir.path, "data") });
  assert.equal(server.url, join(dir.path, "data", "redis.sock"));
  const {
    appendonly,
    appendfsync,
    save,
    port,
    "maxmemory-policy": policy,
  } = await settings(server.url);
  assert.deepEqual(
    [appendonly, appendfsync, save, policy, port],
    ["yes", "always", "", "noeviction", "0"],
  );
  assert.equal((await stat(join(dir.path, "data"))).mode & 0o777, 0o700);
});

test("with a port it listens on the loopback address", async () => {
  await using dir = await folder();
  const port = await freePort();
  await using server = await startRedis({ dir: dir.path, port, appendfsync: "everysec" });
  assert.equal(server.url, `redis://127.0.0.1:${port}`);
  const { bind, appendfsync } = await settings(server.url);
  assert.deepEqual([bind, appendfsync], ["127.0.0.1", "everysec"]);
});

test("what was written is there after a restart, also where the path is too long for a socket", async () => {
  await using dir = await folder();
  const path = join(dir.path, "a-long-name".repeat(10));
  for (const expected of [null, "kept"]) {
    await using server = await startRedis({ dir: path });
    assert.ok(Buffer.byteLength(server.url) <= 107);
    const redis = connect(server.url, "patient");
    assert.equal(await redis.get("key"), expected);
    await redis.set("key", "kept");
    redis.disconnect();
  }
});

test("disposing of it ends the process", async () => {
  await using dir = await folder();
  const server = await startRedis({ dir: dir.path });
  process.kill(server.pid, 0);
  await server[Symbol.asyncDispose]();
  assert.throws(() => process.kill(server.pid, 0), { code: "ESRCH" });
});

test("a server that does not start says why", async () => {
  await using dir = await folder();
  await writeFile(join(dir.path, "appendonlydir"), "no folder");
  await assert.rejects(startRedis({ dir: dir.path }), /the Redis server did not start: .*append/s);
});

test("where there is no Redis the error says what to install", async () => {
  await using dir = await folder();
  const path = process.env["PATH"];
  process.env["PATH"] = dir.path;
  try {
    await assert.rejects(startRedis({ dir: dir.path }), /install one .*redis-server/);
  } finally {
    process.env["PATH"] = path;
  }
});
