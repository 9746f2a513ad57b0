// A file that is built beside its place, and takes it as a whole (reliability R13).

import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Folder } from "./folder.ts";
import { disk, removeLeftovers, temporaryName } from "./store.ts";

export class NewFile implements AsyncDisposable {
  readonly handle: FileHandle;
  /** Where it is built. */
  readonly temporary: string;
  readonly #path: string;
  readonly #folder: Folder;

  private constructor(handle: FileHandle, temporary: string, path: string, folder: Folder) {
    this.handle = handle;
    this.temporary = temporary;
    this.#path = path;
    this.#folder = folder;
  }

  /** `path` is a real path; the folders above it are made as well. */
  static async create(path: string): Promise<NewFile> {
    await using opened = new AsyncDisposableStack();
    const folder = opened.use(await Folder.make(dirname(path)));
    const name = temporaryName(prefixOf(path));
    const handle = await disk(open(folder.at(name), "wx+", 0o644));
    opened.move();
    return new NewFile(handle, join(dirname(path), name), path, folder);
  }

  /** Takes the place of what is there, durably. */
  async publish(signal: AbortSignal): Promise<void> {
    await disk(this.handle.sync());
    signal.throwIfAborted();
    await disk(rename(this.#at(this.temporary), this.#at(this.#path)));
    await this.#folder.sync();
    await removeLeftovers(this.#folder, prefixOf(this.#path));
  }

  /** Removes what was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    await rm(this.#at(this.temporary), { force: true });
    await this.#folder[Symbol.asyncDispose]();
  }

  #at(path: string): string {
    return this.#folder.at(basename(path));
  }
}

const prefixOf = (path: string): string => `${basename(path).slice(0, 64)}.`;
