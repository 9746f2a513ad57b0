// Files and folders held by handles. A path can be made to lead elsewhere between a look at it and its use: whoever may write below the data
// folder could have the service read and write outside of it (reliability T36). A handle stays what it is, and the kernel tells where
// that is.

import { constants } from "node:fs";
import { mkdir, open, readlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CopyError, toCopyError } from "../errors.ts";
import { errnoOf } from "./paths.ts";

/** Only Linux has names for what is open; elsewhere paths are believed. */
const HAS_NAMES = process.platform === "linux";
/** A folder may be replaced by another one in good faith while it is opened (dir-destination.ts). */
const ATTEMPTS = 4;

/**
 * Opens what is at `path`, which is a real path, following no link on the whole way. Throws as `open` does, and `path_denied` where links
 * come up on the way all the time.
 */
export async function openReal(path: string, flags: number): Promise<FileHandle> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const handle = await open(path, flags | constants.O_NOFOLLOW);
    try {
      if (!HAS_NAMES || isAt(path, await readlink(nameOf(handle)))) return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
  throw new CopyError(
    "path_denied",
    `the way to \`${basename(path)}\` changes while it is gone: somebody swaps folders with links there`,
  );
}

/** A file that was replaced or removed meanwhile was there. */
const isAt = (path: string, actual: string): boolean =>
  actual === path || actual === `${path} (deleted)`;

const nameOf = ({ fd }: FileHandle): string => `/proc/self/fd/${fd}`;

/** An open folder: names in it are in it, wherever its path leads by now. */
export class Folder implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Opens a folder that is there. Throws as openReal. */
  static async open(path: string): Promise<Folder> {
    return new Folder(path, await openReal(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** Opens a folder; makes it, and those above it, durably where they are missing. Errors are the destination's. */
  static async make(path: string): Promise<Folder> {
    try {
      return await Folder.open(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw blamed(error);
    }
    await using above = await Folder.make(dirname(path));
    try {
      await mkdir(above.at(basename(path)), { mode: 0o755 });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw blamed(error);
    }
    await above.sync();
    return await Folder.open(path).catch((error: unknown) => {
      throw blamed(error);
    });
  }

  /** A path for what has this name in the folder. It is good while the folder is open. */
  at(name: string): string {
    return join(HAS_NAMES ? nameOf(this.#handle) : this.#path, name);
  }

  /** After it, the names in the folder survive a loss of power. */
  async sync(): Promise<void> {
    await this.#handle.sync().catch((error: unknown) => {
      throw blamed(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

const blamed = (error: unknown): CopyError => toCopyError(error, { side: "destination" });
