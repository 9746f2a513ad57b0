// Archives, opened so that they can be read at any place.

import { open, rm, type FileHandle } from "node:fs/promises";
import type { Bytes } from "../bytes.ts";
import { CopyError, type Side } from "../errors.ts";
import type { AccessContext } from "./access.ts";
import { openRegular, type RegularFile } from "./files.ts";
import { pourInto } from "./pour.ts";
import { disk } from "./store.ts";
import { makeOwnFolder, ownPath } from "./temporary.ts";
import { compressionOf, unpacked } from "./unpacked.ts";

/**
 * One that is compressed is decompressed first, into a file that is gone when it is closed. `title`: how messages name it. Throws
 * `source_not_found`, `path_denied`.
 */
export async function openArchive(
  title: string,
  path: string,
  { side, dataDir }: AccessContext,
  signal: AbortSignal,
): Promise<RegularFile> {
  await using opened = new AsyncDisposableStack();
  const at = { side, phase: "manifest" } as const;
  const file = await openRegular(path, at);
  if (file === undefined)
    throw new CopyError("source_not_found", `\`${title}\`: there is no such file`, at);
  opened.use(file);
  const whole = { offset: 0, size: file.size };
  const compression = await compressionOf(file, whole);
  if (compression !== undefined)
    return await spool(unpacked(file, whole, compression), dataDir, side, signal);
  opened.move();
  return file;
}

/** Content that is wanted at any place, in a file without a name: it is gone when it is closed, and when the process dies. */
export async function spool(
  content: Bytes,
  dataDir: string,
  side: Side,
  signal: AbortSignal,
): Promise<RegularFile> {
  await using opened = new AsyncDisposableStack();
  const handle = opened.use(await openNameless(dataDir));
  const size = await pourInto(handle, content, { at: 0, side }, signal);
  const owned = opened.move();
  return { handle, size, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** An empty file to write and read, on the file system of the data folder. */
export async function openNameless(dataDir: string): Promise<FileHandle> {
  await makeOwnFolder(dataDir);
  const path = await ownPath(dataDir);
  const handle = await disk(open(path, "wx+", 0o600));
  await rm(path);
  return handle;
}
