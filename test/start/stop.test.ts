import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../src/start/free-port.ts";
import { answering, until } from "../support/peers.ts";
import { emptyRedis } from "../support/redis.ts";

const root = join(import.meta.dirname, "../..");

test("an API whose log nobody reads any more still ends when it is told to", async () => {
  const home = await mkdtemp(join(tmpdir(), "transship-stop-"));
  await writeFile(join(home, "key"), "ab".repeat(32));
  const port = await freePort();
  const env = {
    ...process.env,
    REDIS_URL: await emptyRedis(),
    PORT: String(port),
    SECRETS_KEY_FILE: join(home, "key"),
  };
  const api = spawn(process.execPath, [join(root, "src/api/main.ts")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await answering(`http://127.0.0.1:${port}/healthz`);
    api.stdout.destroy();
    const exit = once(api, "exit", { signal: AbortSignal.timeout(10_000) });
    api.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  } finally {
    api.kill("SIGKILL");
    await rm(home, { recursive: true });
  }
});

test("what runs ends when npm, which started it, was killed without passing that on", async () => {
  const home = await mkdtemp(join(tmpdir(), "transship-stop-"));
  const note = join(home, "pid");
  const script = `require("node:fs").writeFileSync(${JSON.stringify(note)}, String(process.pid)); setInterval(() => {}, 1000);`;
  // Stands for npm: a program that starts ours and waits.
  const starter = spawn(
    process.execPath,
    [
      "-e",
      `require("node:child_process").spawn("sh", ["scripts/run", "-e", ${JSON.stringify(script)}]); setInterval(() => {}, 1000);`,
    ],
    { cwd: root, stdio: "ignore" },
  );
  try {
    const pid = async () => Number(await readFile(note, "utf8").catch(() => ""));
    await until(async () => (await pid()) > 0, 20_000, "it was not started");
    const started = await pid();
    const exit = once(starter, "exit");
    starter.kill("SIGKILL");
    await exit;
    const isAlive = () => {
      try {
        return process.kill(started, 0);
      } catch {
        return false;
      }
    };
    await until(() => !isAlive(), 10_000, "it is still running");
  } finally {
    starter.kill("SIGKILL");
    await rm(home, { recursive: true });
  }
});
