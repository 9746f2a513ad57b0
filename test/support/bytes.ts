// Bytes for tests: made in pieces, and put together again.

import type { Bytes } from "../../src/bytes.ts";

export const never = new AbortController().signal;

/** The data in pieces of so many bytes. */
export const inPieces = (data: Buffer, size: number): Bytes => ({
  pour: async (sink, signal) => {
    for (let at = 0; at < data.length; at += size) {
      signal.throwIfAborted();
      sink(data.subarray(at, at + size), () => {});
    }
    signal.throwIfAborted();
  },
});

/** Everything in one Buffer. */
export async function collect(content: Bytes, signal = never): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await content.pour((chunk, release) => {
    chunks.push(Buffer.from(chunk));
    release();
  }, signal);
  return Buffer.concat(chunks);
}
