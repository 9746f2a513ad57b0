// What the demo knows of a running copy: a state a blob, out of the job's events. No I/O, no terminal.

import type { JobEvent } from "./client.ts";
import type { DemoBlob } from "./image.ts";

export interface BlobProgress {
  readonly blob: DemoBlob;
  readonly state: "waiting" | "moving" | "copied" | "exists" | "mounted" | "foreign";
  /** Bytes that have arrived. */
  readonly offset: number;
  /** Bytes a second since its first byte, or 0 while that means nothing. */
  readonly rate: number;
}

/** Where a copy stands; `status` is the job's. */
export interface CopyProgress {
  readonly status: string;
  readonly blobs: readonly BlobProgress[];
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Of everything that moved so far, bytes a second. */
  readonly rate: number;
}

export class Progress {
  readonly #rows: Map<string, BlobProgress>;
  readonly #startedAt = new Map<string, number>();
  #firstAt: number | undefined;
  #lastAt = 0;
  #status = "queued";

  constructor(blobs: readonly DemoBlob[]) {
    this.#rows = new Map(
      blobs.map((blob) => [blob.digest, { blob, state: "waiting", offset: 0, rate: 0 }]),
    );
  }

  /** Takes in an event that was heard at `now`, in ms. Returns the blob that it finished, if it did. */
  add({ type, data }: JobEvent, now: number): BlobProgress | undefined {
    if (data.job !== undefined) this.#status = data.job.status;
    const row = this.#rows.get(data.artifact?.digest ?? "");
    if (row === undefined) return undefined;
    switch (type) {
      case "blob-new":
        this.#firstAt ??= now;
        this.#startedAt.set(row.blob.digest, now);
        return this.#set({ ...row, state: "moving", offset: 0, rate: 0 });
      case "blob-read":
        return this.#set({
          ...row,
          offset: data.offset ?? row.offset,
          rate: this.#rateOf(row.blob.digest, data.offset ?? 0, now),
        });
      case "blob-done":
        this.#set({
          ...row,
          state: "copied",
          offset: row.blob.size,
          rate: this.#rateOf(row.blob.digest, row.blob.size, now),
        });
        return this.#rows.get(row.blob.digest);
      case "blob-skipped":
        // The second image that has the blob finds it where the first has put it.
        if (row.state === "copied") return undefined;
        this.#set({
          ...row,
          state: data.reason === "mounted" || data.reason === "foreign" ? data.reason : "exists",
          offset: row.blob.size,
          rate: 0,
        });
        return this.#rows.get(row.blob.digest);
      default:
        return undefined;
    }
  }

  /** At `now`, in ms. */
  view(): CopyProgress {
    const blobs = [...this.#rows.values()];
    const moved = blobs
      .filter(({ state }) => state === "copied" || state === "moving")
      .reduce((sum, { offset }) => sum + offset, 0);
    return {
      status: this.#status,
      blobs,
      bytesDone: blobs.reduce((sum, { offset }) => sum + offset, 0),
      bytesTotal: blobs.reduce((sum, { blob }) => sum + blob.size, 0),
      rate: this.#firstAt === undefined ? 0 : perSecond(moved, this.#lastAt - this.#firstAt),
    };
  }

  #set(row: BlobProgress): undefined {
    this.#rows.set(row.blob.digest, row);
  }

  #rateOf(digest: string, bytes: number, now: number): number {
    this.#lastAt = now;
    return perSecond(bytes, now - (this.#startedAt.get(digest) ?? now));
  }
}

/** 0 where the time is too short to say. */
const perSecond = (bytes: number, ms: number): number => (ms < 50 ? 0 : (bytes * 1000) / ms);
