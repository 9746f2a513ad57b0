// The pause before something is tried again.

import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../../errors.ts";

/** Takes so many ms. Throws the signal's reason where that comes first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    throw reasonOf(error, signal);
  });
}
