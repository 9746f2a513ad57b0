// Bytes on their way.

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

/** Which bytes of something: those from `from` up to `to`, which is not one of them. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The whole content, at once. */
export const fromBuffer = (buffer: Buffer): Bytes => ({
  pour: async (sink, signal) => {
    signal.throwIfAborted();
    if (buffer.length > 0) sink(buffer, () => {});
  },
});
