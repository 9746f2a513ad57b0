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

/** All of it in one buffer: for content that is known to be small. */
export async function collect(content: Bytes, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await content.pour((chunk, release) => {
    chunks.push(Buffer.from(chunk));
    release();
  }, signal);
  return Buffer.concat(chunks);
}

/** Content that is under way already, held at its first bytes. Disposing of it ends it where nobody has poured it. */
export interface Peeked extends AsyncDisposable {
  /** At least as many as were asked for, or all there are. */
  readonly head: Buffer;
  /** All of the content, the head included. Can be poured once. */
  readonly content: Bytes;
}

/**
 * Starts the content and waits for its first `count` bytes. What has come stays lent until it is poured, so no more than the
 * source lends at a time is held. Throws the content's own failure if that came first, or `signal`'s reason.
 */
export async function peek(content: Bytes, count: number, signal: AbortSignal): Promise<Peeked> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const held: Parameters<Sink>[] = [];
  const seen = Promise.withResolvers<void>();
  let length = 0;
  let sink: Sink = (chunk, release) => {
    held.push([chunk, release]);
    length += chunk.length;
    if (length >= count) seen.resolve();
  };
  const poured = content.pour((chunk, release) => sink(chunk, release), either);
  poured.then(seen.resolve, seen.reject);
  await seen.promise;

  const giveBack = () => held.splice(0).forEach(([, release]) => release());
  const end = async (reason: unknown) => {
    stop.abort(reason);
    await poured.catch(() => {});
    giveBack();
  };
  const head = Buffer.concat(held.map(([chunk]) => chunk.subarray(0, count))).subarray(0, count);
  return {
    head,
    content: {
      pour: async (next, pourSignal) => {
        const abort = () => stop.abort(pourSignal.reason);
        pourSignal.addEventListener("abort", abort, { once: true });
        try {
          pourSignal.throwIfAborted();
          for (const lent of held.splice(0)) next(...lent);
          sink = next;
          await poured;
        } catch (error) {
          await end(error);
          throw error;
        } finally {
          pourSignal.removeEventListener("abort", abort);
        }
      },
    },
    [Symbol.asyncDispose]: () => end(new Error("the content is wanted no more")),
  };
}
