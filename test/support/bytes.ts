// Bytes for tests: made in pieces, and put together again.

import { collect as collectBytes, type Bytes } from "../../src/bytes.ts";

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
export const collect = (content: Bytes, signal = never): Promise<Buffer> =>
  collectBytes(content, signal);
