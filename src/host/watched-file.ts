// Files of the operator's that may change while we run: looked at whenever what is in them is needed, and read again when they are
// others than before. A look is a stat; there is nothing to close, and nothing to signal after an edit.

import { readdirSync, statSync, type BigIntStats } from "node:fs";
import { join } from "node:path";

export interface WatchedOptions<T> {
  /** A text that is another one whenever the files are: `stampOf` and `stampOfFolder`. Must not throw. */
  readonly stamp: () => string;
  /** Reads them. */
  readonly load: () => T;
  /** Hears, once a change, that what is there now cannot be used. What was read before stays in force. */
  readonly onFault: (error: unknown) => void;
}

/** What is in some files, as it is now. */
export class Watched<T> {
  readonly #options: WatchedOptions<T>;
  /** Of what was read. */
  #stamp: string;
  /** Of what could not be used; its fault was told. */
  #bad: string | undefined;
  #value: T;

  /** Reads the files. Throws what `load` throws: at the start there is nothing that could stay in force. */
  constructor(options: WatchedOptions<T>) {
    this.#options = options;
    // Before the reading: a change in between is seen the next time.
    this.#stamp = options.stamp();
    this.#value = options.load();
  }

  get current(): T {
    const { stamp, load, onFault } = this.#options;
    const now = stamp();
    if (now === this.#stamp) return this.#value;
    try {
      this.#value = load();
      this.#stamp = now;
      this.#bad = undefined;
    } catch (error) {
      // It may be for want of something else, and no fault of the files: they are tried each time.
      if (now !== this.#bad) onFault(error);
      this.#bad = now;
    }
    return this.#value;
  }
}

/** Of one file, or of none. A link is followed: mounted volumes change by swapping one. */
export function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true }) as BigIntStats;
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return codeOf(error);
  }
}

/** Of all files in a folder, not of those further below. */
export function stampOfFolder(path: string): string {
  try {
    const names = readdirSync(path).toSorted();
    return names.map((name) => `${name} ${stampOf(join(path, name))}`).join("\n");
  } catch (error) {
    return codeOf(error);
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown";
