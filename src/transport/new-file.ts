// A file that is built beside its place, and takes it as a whole (reliability R13).

import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { disk, makeFolder, removeLeftovers, syncFolder, temporaryIn } from "./store.ts";

export class NewFile implements AsyncDisposable {
  readonly handle: FileHandle;
  /** Where it is built. */
  readonly temporary: string;
  readonly #path: string;

  private constructor(handle: FileHandle, temporary: string, path: string) {
    this.handle = handle;
    this.temporary = temporary;
    this.#path = path;
  }

  /** Makes the folders above `path` as well. */
  static async create(path: string): Promise<NewFile> {
    const folder = dirname(path);
    await makeFolder(folder);
    const temporary = temporaryIn(folder, prefixOf(path));
    return new NewFile(await disk(open(temporary, "wx+", 0o644)), temporary, path);
  }

  /** Takes the place of what is there, durably. */
  async publish(signal: AbortSignal): Promise<void> {
    await disk(this.handle.sync());
    signal.throwIfAborted();
    await disk(rename(this.temporary, this.#path));
    await syncFolder(dirname(this.#path));
    await removeLeftovers(dirname(this.#path), prefixOf(this.#path));
  }

  /** Removes what was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    await rm(this.temporary, { force: true });
  }
}

const prefixOf = (path: string): string => `${basename(path).slice(0, 64)}.`;
