// A process that copies what it is told to and measures itself meanwhile: what a hostile image does to it harms no test.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { CopyError } from "../../src/errors.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { copyBetween, type Given } from "./copy-between.ts";

export interface Order {
  readonly dataDir: string;
  readonly source: string;
  readonly destination: string;
  readonly given: Given;
  /** The copy is given up after so long. */
  readonly abortAfterMs?: number;
}

export interface Measured {
  /** "copied" if there was no error. */
  readonly code: string;
  readonly side: string | undefined;
  readonly message: string;
  readonly ms: number;
  /** By how much memory has grown at most, in MiB. */
  readonly grownMiB: number;
  /** The longest time in which the event loop did not turn, in ms: also while others had the processor. */
  readonly blockedMs: number;
  /** The longest that this thread itself worked in one turn, in ms. */
  readonly workedMs: number;
}

const SAMPLE_MS = 2;
const MIB = 1024 * 1024;
const registries = new Registries(LOOPBACK_TOO, { stallMs: 5000, breakMs: 1, retryMs: 1 });

process.on("message", (order: Order) => {
  void measured(order).then((outcome) => process.send?.(outcome));
});

async function measured({ abortAfterMs, given, ...order }: Order): Promise<Measured> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  let longest = 0;
  let last = process.threadCpuUsage();
  const sample = () => {
    most = Math.max(most, process.memoryUsage.rss());
    const { user, system } = process.threadCpuUsage(last);
    longest = Math.max(longest, user + system);
    last = process.threadCpuUsage();
  };
  const sampler = setInterval(sample, SAMPLE_MS);
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  delay.enable();
  const begun = performance.now();
  const signal =
    abortAfterMs === undefined ? new AbortController().signal : AbortSignal.timeout(abortAfterMs);
  const outcome = await copyBetween({ registries, ...order }, { ...given, signal }).then(
    () => ({ code: "copied", side: undefined, message: "" }),
    (error: unknown) =>
      error instanceof CopyError
        ? { code: error.code, side: error.context.side, message: error.message }
        : { code: String(error), side: undefined, message: "" },
  );
  const ms = performance.now() - begun;
  // The histogram learns of the last turn when that has ended.
  await new Promise((resolve) => setTimeout(resolve, 2 * SAMPLE_MS));
  delay.disable();
  clearInterval(sampler);
  sample();
  return {
    ...outcome,
    ms,
    grownMiB: (most - before) / MIB,
    blockedMs: delay.max / 1e6 - SAMPLE_MS,
    workedMs: longest / 1000,
  };
}
