// Bytes on their way, and adapters to and from Node's streams for what needs those.

import { Readable } from "node:stream";
import { reasonOf } from "./errors.ts";

/** Takes a chunk; it calls `release` once it needs the chunk no more. */
export type Sink = (chunk: Buffer, release: () => void) => void;

/**
 * Bytes on their way. Back-pressure is "how much is lent": a step that only looks at bytes is three lines and free, one
 * that changes them copies each chunk once and releases it.
 */
export interface Bytes {
  /**
   * Lends each chunk to `sink`, in order, until its `release` is called; rests while too much is lent. Resolves after the last
   * chunk was lent; rejects with the failure of the side that failed, or with `signal`'s reason. Can be called once.
   */
  pour(sink: Sink, signal: AbortSignal): Promise<void>;
}

/** At most so many bytes are lent by `fromReadable` at a time. */
const LENT_LIMIT = 1024 * 1024;

/** The whole content, at once. */
export const fromBuffer = (buffer: Buffer): Bytes => ({
  pour: async (sink, signal) => {
    signal.throwIfAborted();
    if (buffer.length > 0) sink(buffer, () => {});
  },
});

/** A Node stream as Bytes. The stream is destroyed on every path. */
export const fromReadable = (stream: Readable): Bytes => ({
  pour: async (sink, signal) => {
    let lent = 0;
    let wake: (() => void) | undefined;
    const abort = () => {
      stream.destroy(signal.reason);
      wake?.();
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        lent += chunk.length;
        sink(chunk, () => {
          lent -= chunk.length;
          wake?.();
        });
        while (lent > LENT_LIMIT) {
          signal.throwIfAborted();
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
      signal.throwIfAborted();
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      signal.removeEventListener("abort", abort);
      stream.destroy();
    }
  },
});

/**
 * Bytes as a Node stream, for libraries that want one. A chunk is released when the stream's reader has taken it. If the
 * pouring fails, the stream is destroyed with that error: it never ends as if it were whole.
 */
export function toReadable(bytes: Bytes, signal: AbortSignal): Readable {
  const waiting: (() => void)[] = [];
  const stop = new AbortController();
  const stream = new Readable({
    highWaterMark: 64 * 1024,
    read() {
      for (const release of waiting.splice(0)) release();
    },
    destroy(error, done) {
      stop.abort(error ?? new Error("the reader has gone"));
      done(error);
    },
  });
  const either = AbortSignal.any([signal, stop.signal]);
  bytes
    .pour((chunk, release) => {
      if (stream.push(chunk)) release();
      else waiting.push(release);
    }, either)
    .then(
      () => stream.push(null),
      (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  return stream;
}

/** Everything in one Buffer; throws `tooLarge()` as soon as there are more than `limit` bytes. */
export async function collect(
  bytes: Bytes,
  limit: number,
  tooLarge: () => Error,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const over = new AbortController();
  await bytes.pour(
    (chunk, release) => {
      length += chunk.length;
      if (length > limit) over.abort(tooLarge());
      else chunks.push(Buffer.from(chunk));
      release();
    },
    AbortSignal.any([signal, over.signal]),
  );
  over.signal.throwIfAborted();
  return Buffer.concat(chunks, length);
}
