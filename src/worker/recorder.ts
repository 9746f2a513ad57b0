import type { ProgressEvent, Report } from "../copy/progress.ts";
import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { progressed, type Change } from "../jobs/job.ts";
import type { JobRecord } from "../jobs/record.ts";
import type { Jobs, Stored } from "../jobs/store.ts";
import { Totals } from "./totals.ts";

/** Events are gathered for so long: at most four writes a second, whatever a job does. */
const GATHER_MS = 250;

/** Why a run ends before its time. */
export class Stopped extends Error {
  readonly why: "canceled" | "lost" | "shutdown";

  constructor(why: Stopped["why"]) {
    super(`the run was stopped: ${why}`);
    this.why = why;
  }

  /** Whether another run will want what this one has done. */
  get goesOn(): boolean {
    return this.why !== "canceled";
  }
}

/**
 * Writes what a run tells into the job's record and stream, in order and as the record's owner. `signal` aborts with Stopped when the
 * record says that the job was canceled, or that this run owns it no more; then nothing more is written.
 */
export class Recorder {
  readonly #jobs: Jobs;
  readonly #owner: string;
  readonly #stop = new AbortController();
  readonly #totals = new Totals();
  #stored: Stored;
  #gathered: ProgressEvent[] = [];
  #pinned: Digest | null = null;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(jobs: Jobs, stored: Stored, owner: string) {
    this.#jobs = jobs;
    this.#stored = stored;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get bytesCopied(): number {
    return this.#totals.bytesCopied;
  }

  readonly report: Report = (event) => {
    this.#totals.add(event);
    if (event.type !== "planned") this.#gathered.push(event);
    this.#soon();
  };

  /** Remembers what the source's tag was resolved to, for later attempts. */
  pin(digest: Digest): void {
    this.#pinned = digest;
    this.#soon();
  }

  /** Looks at the record as others may have changed it. */
  async look(): Promise<void> {
    const stored = await this.#jobs.load(this.#stored.record.id);
    if (stored !== undefined) this.#heed(stored.record);
  }

  /** The last write: what was gathered, and the change that `decide` makes. False: the run owns the job no more, nothing was written. */
  async finish(decide: (record: JobRecord) => Change, manifest?: RawManifest): Promise<boolean> {
    clearTimeout(this.#timer);
    await this.#writing;
    const events = this.#gathered.splice(0);
    const stored = await this.#jobs.change(
      this.#stored,
      (record) => {
        if (record.owner !== this.#owner) return undefined;
        const told = progressed(record, this.#totals.progress, this.#pinned, events);
        const ended = decide(told.record);
        return { record: ended.record, events: [...told.events, ...ended.events] };
      },
      manifest === undefined ? {} : { manifest },
    );
    return stored !== undefined;
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#writing = this.#write();
    }, GATHER_MS);
  }

  async #write(): Promise<void> {
    const events = this.#gathered.splice(0);
    try {
      const stored = await this.#jobs.change(this.#stored, (record) =>
        record.owner === this.#owner
          ? progressed(record, this.#totals.progress, this.#pinned, events)
          : undefined,
      );
      if (stored === undefined) return this.#stop.abort(new Stopped("lost"));
      this.#stored = stored;
      this.#heed(stored.record);
    } catch {
      // Redis could not be asked: the events go with the next write. Whether the run may go on is its leases' affair.
      this.#gathered.unshift(...events);
    } finally {
      this.#timer = undefined;
      if (this.#gathered.length > 0) this.#soon();
    }
  }

  #heed(record: JobRecord): void {
    if (record.owner !== this.#owner) this.#stop.abort(new Stopped("lost"));
    else if (record.cancelRequested) this.#stop.abort(new Stopped("canceled"));
  }
}
