import type { Artifact, Report } from "../copy/progress.ts";
import type { Digest } from "../image/digest.ts";
import { NO_PROGRESS, type Progress } from "../jobs/record.ts";

/** Adds up what the engine tells. A blob that need not be moved counts as done: a finished job is at its total. */
export class Totals {
  #progress: Progress = NO_PROGRESS;
  /** Bytes read so far, a blob; its key is there as soon as the blob is known. */
  readonly #read = new Map<Digest, number>();
  /** Bytes that were stored at the destination by this run. */
  bytesCopied = 0;

  get progress(): Progress {
    return this.#progress;
  }

  add(event: Parameters<Report>[0]): void {
    const p = this.#progress;
    switch (event.type) {
      case "planned":
        return this.#plan(event.artifacts);
      case "blob-read":
        return this.#readTo(event.artifact.digest, event.offset);
      case "blob-done":
        this.bytesCopied += event.bytesStored;
        this.#progress = { ...p, blobsCopied: p.blobsCopied + 1 };
        return this.#readTo(event.artifact.digest, event.offset);
      case "blob-skipped":
        // A foreign layer stays where it is: there is nothing to move, as with one that is there already.
        this.#progress =
          event.reason === "mounted"
            ? { ...p, blobsMounted: p.blobsMounted + 1 }
            : { ...p, blobsReused: p.blobsReused + 1 };
        return this.#readTo(event.artifact.digest, event.artifact.size ?? 0);
    }
  }

  #plan(artifacts: readonly Artifact[]): void {
    for (const { digest, size } of artifacts) {
      if (this.#read.has(digest)) continue;
      this.#read.set(digest, 0);
      this.#progress = {
        ...this.#progress,
        bytesTotal: this.#progress.bytesTotal + (size ?? 0),
        blobsTotal: this.#progress.blobsTotal + 1,
      };
    }
  }

  #readTo(digest: Digest, offset: number): void {
    const before = this.#read.get(digest) ?? 0;
    this.#read.set(digest, offset);
    this.#progress = { ...this.#progress, bytesDone: this.#progress.bytesDone + offset - before };
  }
}
