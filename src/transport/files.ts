// Files of layouts, read so that a hostile one does no harm: what is read is a regular file, never a link, a pipe or a device.

import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { Bytes, Span } from "../bytes.ts";
import { CopyError, type ErrorContext } from "../errors.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import { algorithmOf, type Digest } from "../image/digest.ts";
import { guessMediaType, MANIFEST_LIMIT, manifestDigest } from "../image/manifest/manifest.ts";
import { openReal } from "./folder.ts";
import { errnoOf } from "./paths.ts";

/** Bytes of one read, and how many of them are lent at a time: smaller reads cost more than they save. */
const SLAB = { bytes: 1024 * 1024, count: 3 } as const;

export interface RegularFile extends AsyncDisposable {
  readonly handle: FileHandle;
  /** Bytes. */
  readonly size: number;
}

/**
 * Opens a file, by its real path, for reading, without following a link and without waiting for anything (reliability T37). Undefined: it does not
 * exist. Throws `path_denied` where there is something else than a regular file.
 */
export async function openRegular(
  path: string,
  context: ErrorContext,
): Promise<RegularFile | undefined> {
  await using opened = new AsyncDisposableStack();
  let handle: FileHandle;
  try {
    handle = opened.use(await openReal(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch (error) {
    if (error instanceof CopyError) throw error.at(context);
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP" || code === "ENXIO") throw notRegular(path, context);
    throw error;
  }
  const stat = await handle.stat();
  if (!stat.isFile()) throw notRegular(path, context);
  const owned = opened.move();
  return { handle, size: stat.size, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const notRegular = (path: string, context: ErrorContext): CopyError =>
  new CopyError(
    "path_denied",
    `\`${basename(path)}\` is not a regular file: links, pipes and devices are not read; put the file itself there`,
    context,
  );

/** All of a small file; undefined if it does not exist. Throws `path_denied` as openRegular, `manifest_invalid` above `limit` bytes. */
export async function readSmall(
  path: string,
  limit: number,
  context: ErrorContext,
): Promise<Buffer | undefined> {
  await using file = await openRegular(path, context);
  if (file === undefined) return undefined;
  const buffer = Buffer.alloc(Math.min(file.size, limit) + 1);
  const length = await readInto(file, buffer, 0);
  if (length < buffer.length) return buffer.subarray(0, length);
  throw new CopyError(
    "manifest_invalid",
    `\`${basename(path)}\` has more than ${limit} bytes, or grows while it is read`,
    context,
  );
}

/** A manifest's bytes, which are those that `digest` names; undefined if it does not exist. Throws `digest_mismatch`, else as readSmall. */
export async function readManifest(
  path: string,
  digest: Digest,
  context: ErrorContext,
): Promise<Buffer | undefined> {
  const bytes = await readSmall(path, MANIFEST_LIMIT, context);
  if (bytes === undefined) return undefined;
  const manifest = { bytes, mediaType: guessMediaType(bytes) };
  const actual = manifestDigest(manifest, algorithmOf(digest));
  if (actual === digest) return bytes;
  throw new CopyError("digest_mismatch", `the manifest ${digest} has other content: ${actual}`, {
    ...context,
    digest,
  });
}

/** The blob with the size that was found; undefined where nothing was, or where it has another size than is known. */
export const sized = (blob: NamedBlob, found: number | undefined): Descriptor | undefined =>
  found === undefined || (blob.size !== undefined && blob.size !== found)
    ? undefined
    : { ...blob, size: found };

/** A blob's file, or a part of it, as Bytes; opened when it is poured. Throws `source_not_found`, `path_denied`, `size_mismatch`. */
export const fromFile = (path: string, blob: NamedBlob, span?: Span): Bytes => ({
  pour: async (sink, signal) => {
    const context = { side: "source", phase: "blob", digest: blob.digest } as const;
    await using file = await openRegular(path, context);
    if (file === undefined)
      throw new CopyError("source_not_found", `the blob ${blob.digest} is not there`, context);
    if (blob.size !== undefined && file.size !== blob.size)
      throw new CopyError(
        "size_mismatch",
        `the blob ${blob.digest} has ${file.size} bytes, its manifest says ${blob.size}`,
        context,
      );
    await fromRegion(file, within({ offset: 0, size: file.size }, span)).pour(sink, signal);
  },
});

/** Part of a file, in bytes. */
export interface Region {
  readonly offset: number;
  readonly size: number;
}

/** The bytes of `span` in it; without one, all of it. */
export const within = (region: Region, span: Span | undefined): Region =>
  span === undefined
    ? region
    : { offset: region.offset + span.from, size: Math.min(region.size, span.to) - span.from };

/** Part of an open file as Bytes, which end early where the file does. */
export const fromRegion = ({ handle }: RegularFile, { offset, size }: Region): Bytes => ({
  pour: async (sink, signal) => {
    const slabs = new Slabs(Math.min(SLAB.bytes, size), signal);
    for (let done = 0; done < size;) {
      const slab = await slabs.take();
      const length = Math.min(slab.length, size - done);
      const { bytesRead } = await handle.read(slab, 0, length, offset + done);
      signal.throwIfAborted();
      if (bytesRead === 0) return;
      done += bytesRead;
      sink(slab.subarray(0, bytesRead), () => slabs.giveBack(slab));
    }
  },
});

/** The content of a small region; shorter where the file ends before. The caller has bounded its size. */
export async function readAt(file: RegularFile, { offset, size }: Region): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  return buffer.subarray(0, await readInto(file, buffer, offset));
}

/** Fills the buffer; returns how many bytes there were. */
export async function readInto(
  { handle }: RegularFile,
  buffer: Buffer,
  position: number,
): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(
      buffer,
      length,
      buffer.length - length,
      position + length,
    );
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

/** A few buffers that are lent and used again. */
class Slabs {
  readonly #free: Buffer[] = [];
  readonly #bytes: number;
  readonly #signal: AbortSignal;
  #made = 0;
  #wake: (() => void) | undefined;

  constructor(bytes: number, signal: AbortSignal) {
    this.#bytes = bytes;
    this.#signal = signal;
  }

  /** A free buffer, as soon as there is one; throws the signal's reason. */
  async take(): Promise<Buffer> {
    this.#signal.throwIfAborted();
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made < SLAB.count) {
      this.#made++;
      return Buffer.allocUnsafeSlow(this.#bytes);
    }
    await this.#released();
    return this.take();
  }

  giveBack(slab: Buffer): void {
    this.#free.push(slab);
    this.#wake?.();
  }

  async #released(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    this.#signal.addEventListener("abort", wake, { once: true });
    await promise;
    this.#signal.removeEventListener("abort", wake);
  }
}
