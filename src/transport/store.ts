// Files of layouts, written so that a crash does no harm: each appears whole and durable under its name, or not at all.

import { randomUUID } from "node:crypto";
import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fromBuffer, type Bytes } from "../bytes.ts";
import type { BlobStream } from "../copy/interfaces.ts";
import { toCopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { arriving } from "./arriving.ts";
import { Folder } from "./folder.ts";
import { pourInto } from "./pour.ts";

/** Puts these bytes at `path`, in place of what is there: readers see the old file or the new one. */
export async function replaceFile(path: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
  await storeFile(dirname(path), fromBuffer(bytes), async () => path, signal, preparedFor(path));
}

/**
 * Takes away what others have prepared to put at `path` by replaceFile. A writer that was frozen in the last moment of its turn and
 * wakes up in somebody else's finds nothing to put in place, and fails.
 */
export async function removePrepared(path: string): Promise<void> {
  await using folder = await Folder.make(dirname(path));
  for (const prepared of await temporariesIn(folder, preparedFor(path)))
    await disk(rm(prepared, { force: true }));
}

const preparedFor = (path: string): string => `${basename(path)}.`;

/** Stores a blob's content where `pathOf` its digest says, by way of `folder`. Throws `size_mismatch`. */
export async function storeBlob(
  folder: string,
  blob: BlobStream,
  pathOf: (digest: Digest) => Promise<string>,
  signal: AbortSignal,
): Promise<Descriptor> {
  const { content, descriptor } = arriving(blob);
  const size = await storeFile(
    folder,
    content,
    async (found) => pathOf(descriptor(found).digest),
    signal,
  );
  return descriptor(size);
}

/** No run of a job is longer (the contract's `timeoutSeconds`): what is older belongs to nobody. */
const LEFTOVER_MS = 24 * 60 * 60 * 1000;

/** A name for something unfinished: it begins with a dot, then `of`, and is nobody else's. */
export const temporaryName = (of = ""): string => `.${of}${randomUUID()}.tmp`;

/** Removes what killed processes left in a folder under names of `temporaryName`, once it is a day old. Never fails. */
export async function removeLeftovers(folder: Folder, of = ""): Promise<void> {
  for (const path of await temporariesIn(folder, of).catch(() => [])) {
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < Date.now() - LEFTOVER_MS)
      await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

async function temporariesIn(folder: Folder, of: string): Promise<readonly string[]> {
  const isOne = (name: string) =>
    name.startsWith(`.${of}`) && /^[0-9a-f-]{36}\.tmp$/.test(name.slice(of.length + 1));
  return (await disk(readdir(folder.at(".")))).filter(isOne).map((name) => folder.at(name));
}

/**
 * Writes content to a temporary file (`of`: temporaryName) in `folder`, makes it durable, and gives it the name that `place` says for its
 * size in bytes, on the same file system. Returns the size. Nothing is left if content, disk or `place` fail, or `signal` aborts.
 */
async function storeFile(
  folder: string,
  content: Bytes,
  place: (size: number) => Promise<string>,
  signal: AbortSignal,
  of = "",
): Promise<number> {
  await using workshop = await Folder.make(folder);
  const temporary = workshop.at(temporaryName(of));
  try {
    const size = await writeDown(temporary, content, signal);
    const path = await place(size);
    await using target = await Folder.make(dirname(path));
    signal.throwIfAborted();
    await disk(rename(temporary, target.at(basename(path))));
    await target.sync();
    return size;
  } catch (error) {
    // Should this fail as well, the first error is the one to tell of.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

async function writeDown(path: string, content: Bytes, signal: AbortSignal): Promise<number> {
  await using file = await disk(open(path, "wx", 0o644));
  const size = await pourInto(file, content, { at: 0, side: "destination" }, signal);
  await disk(file.chmod(0o644));
  await disk(file.sync());
  return size;
}

/** Errors of writing, in the contract's words: they are the destination's, wherever they surface. */
export async function disk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toCopyError(error, { side: "destination" });
  }
}
