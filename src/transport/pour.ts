// Bytes into an open file.

import type { FileHandle } from "node:fs/promises";
import type { Bytes } from "../bytes.ts";
import { toCopyError, type Side } from "../errors.ts";

interface Lent {
  readonly chunk: Buffer;
  readonly release: () => void;
}

/**
 * Writes content at a position, and returns how many bytes it had. Each chunk is released once it is written; what comes while a write
 * is under way is written by the next one, at once. `side`: whose fault a failing disk is.
 */
export async function pourInto(
  file: FileHandle,
  content: Bytes,
  { at, side }: { readonly at: number; readonly side: Side },
  signal: AbortSignal,
): Promise<number> {
  const broken = new AbortController();
  let lent: Lent[] = [];
  let size = 0;
  let written = 0;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (lent.length > 0) {
      const batch = lent;
      lent = [];
      written += await writeAll(
        file,
        batch.map(({ chunk }) => chunk),
        at + written,
      );
      for (const { release } of batch) release();
    }
    writing = undefined;
  };
  try {
    await content.pour(
      (chunk, release) => {
        size += chunk.length;
        lent.push({ chunk, release });
        writing ??= write().catch((error: unknown) => broken.abort(toCopyError(error, { side })));
      },
      AbortSignal.any([signal, broken.signal]),
    );
  } catch (error) {
    // The disk's failure comes back through the content, which knows it only as an abort.
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    await writing;
  }
  broken.signal.throwIfAborted();
  return size;
}

/** Returns how many bytes the chunks have. */
async function writeAll(
  file: FileHandle,
  chunks: readonly Buffer[],
  position: number,
): Promise<number> {
  let rest = chunks;
  let written = 0;
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest, position + written);
    written += bytesWritten;
    const next = rest.findIndex((chunk) => (bytesWritten -= chunk.length) < 0);
    const cut = rest[next];
    rest =
      cut === undefined ? [] : [cut.subarray(cut.length + bytesWritten), ...rest.slice(next + 1)];
  }
  return written;
}

/** Writes all of it at a position; returns how many bytes it has. */
export async function writeAt(file: FileHandle, bytes: Buffer, at: number): Promise<number> {
  try {
    return await writeAll(file, [bytes], at);
  } catch (error) {
    throw toCopyError(error, { side: "destination" });
  }
}
