// A registry of the demo's own: the distribution's docker-registry, with its storage in a folder of the demo.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../start/free-port.ts";

export interface Registry extends AsyncDisposable {
  readonly port: number;
}

const START_TIMEOUT_MS = 20_000;

/** Undefined where there is no such program. Throws if it does not start. */
export async function startRegistry(
  dir: string,
  signal: AbortSignal,
): Promise<Registry | undefined> {
  const program = ["docker-registry", "registry"].find(
    (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
  );
  if (program === undefined) return undefined;
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, "data") } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const child = spawn(program, ["serve", join(dir, "config.yml")], {
    stdio: "ignore",
    detached: true,
  });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  try {
    await answers(`http://127.0.0.1:${port}/v2/`, ended, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: stop };
}

async function answers(url: string, ended: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let gone = false;
  void ended.then(() => (gone = true));
  for (;;) {
    const response = await fetch(url, { signal }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (gone || performance.now() > deadline) throw new Error("the registry did not start");
    await sleep(20, undefined, { signal });
  }
}
