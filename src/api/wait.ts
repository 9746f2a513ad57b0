// Waiting for a job's next change of state, as `Prefer: wait=N` asks for (RFC 7240, 4.3).

import { jobBell, type Bell } from "../jobs/bell.ts";
import { isFinal } from "../jobs/record.ts";
import type { Jobs, Stored } from "../jobs/store.ts";

const LIMIT_SECONDS = 60;
/** A bell may be missed: look all the same after so long. */
const LOOK_EVERY_MS = 2000;

/** The seconds of `wait=N`, 60 at most; undefined where the header does not ask for it in a way that can be understood. */
export function parseWait(prefer: string | undefined): number | undefined {
  for (const preference of (prefer ?? "").split(",")) {
    const [name, value] =
      preference
        .split(";", 1)[0]
        ?.split("=")
        .map((part) => part.trim()) ?? [];
    const seconds = value?.replaceAll('"', "");
    if (name?.toLowerCase() === "wait" && seconds !== undefined && /^\d{1,9}$/.test(seconds))
      return Math.min(Number(seconds), LIMIT_SECONDS);
  }
  return undefined;
}

export interface Wait {
  /** The change of state that the client knows of: JobRecord.statusRevision. */
  readonly since: number;
  readonly seconds: number;
  /** Ends the waiting: the job is given as it is then. */
  readonly signal: AbortSignal;
}

/** The job as it is after its next change of state, or when the time is up. Undefined: it is gone. */
export async function awaitChange(
  deps: { jobs: Jobs; bell: Bell },
  tenant: string,
  id: string,
  wait: Wait,
): Promise<Stored | undefined> {
  const deadline = performance.now() + wait.seconds * 1000;
  for (;;) {
    // Listening begins before the job is read, so that no change falls between the two.
    const left = Math.max(0, deadline - performance.now());
    const heard = new AbortController();
    const rung = deps.bell.wait(
      jobBell(id),
      Math.min(left, LOOK_EVERY_MS),
      AbortSignal.any([wait.signal, heard.signal]),
    );
    try {
      const stored = await deps.jobs.get(tenant, id);
      if (
        stored === undefined ||
        stored.record.statusRevision !== wait.since ||
        isFinal(stored.record.status)
      )
        return stored;
      if (left === 0 || wait.signal.aborted) return stored;
      await rung;
    } finally {
      heard.abort();
    }
  }
}
