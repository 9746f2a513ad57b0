// The service's processes, as npm start and the demo run them.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Supervisor } from "./supervisor.ts";

const SOURCE = join(import.meta.dirname, "..");
const READY_TIMEOUT_MS = 60_000;

/** Runs the API and the workers as processes of their own. */
export function startProcesses(supervisor: Supervisor, workers: number): void {
  supervisor.run("API", join(SOURCE, "api/main.ts"));
  for (let i = 1; i <= workers; i++) supervisor.run(`worker ${i}`, join(SOURCE, "worker/main.ts"));
}

/** Resolves when the API answers and a worker is alive. Throws if that takes a minute, or the signal's reason. */
export async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    signal.throwIfAborted();
    if (performance.now() > deadline)
      throw new Error(`the API at ${url} was not ready within ${READY_TIMEOUT_MS / 1000} s`);
    await sleep(50, undefined, { signal });
  }
}
