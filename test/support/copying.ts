// The engine between two ends in memory.

import { NO_CACHE } from "./blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { CopyEnds, CopyResult } from "../../src/copy/interfaces.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { planCopy, type CopyPlan } from "../../src/copy/plan.ts";
import type { Report } from "../../src/copy/progress.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { never } from "./bytes.ts";
import type { MemoryDestination, MemorySource } from "./memory.ts";
import { DEFAULTS } from "./options.ts";

export type Event = Parameters<Report>[0];

export const host = { os: "linux", architecture: "amd64" };

export interface Copied {
  readonly result: CopyResult;
  readonly events: readonly Event[];
  /** The report's. */
  readonly lines: readonly string[];
}

const endsOf = (
  source: MemorySource,
  destination: MemoryDestination,
  rest: Partial<CopyEnds>,
): CopyEnds => ({
  source,
  destination,
  platform: {},
  host,
  compression: {},
  cache: NO_CACHE,
  ...rest,
});

export async function copy(
  source: MemorySource,
  destination: MemoryDestination,
  options: Partial<CopyOptions> = {},
  permits = 100,
  signal: AbortSignal = never,
  rest: Partial<CopyEnds> = {},
): Promise<Copied> {
  const events: Event[] = [];
  const result = await copyImage(
    endsOf(source, destination, rest),
    { ...DEFAULTS, ...options },
    { blobs: new LocalSemaphore(permits), report: (event) => events.push(event), signal },
  );
  return { result, events, lines: events.flatMap((e) => (e.type === "report" ? [e.message] : [])) };
}

export const plan = (
  source: MemorySource,
  destination: MemoryDestination,
  options: Partial<CopyOptions> = {},
  rest: Partial<CopyEnds> = {},
): Promise<CopyPlan> =>
  planCopy(
    endsOf(source, destination, rest),
    { ...DEFAULTS, ...options },
    { blobs: new LocalSemaphore(100), signal: never },
  );
