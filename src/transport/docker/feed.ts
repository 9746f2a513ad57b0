// Poured bytes as the body of a request.

import type { Bytes } from "../../bytes.ts";
import type { StallWatch } from "./stall-watch.ts";

/**
 * Bytes of a chunk after which the next one is asked for only when the system has it. A socket buffers smaller ones: they are copied, for
 * what was lent is used again once it is released.
 */
const SMALL = 128 * 1024;

/** Bytes that are handed over at a time: on a slow line a larger part would seem to stand still, a smaller one would be copied. */
const PART = SMALL;

interface Lent {
  readonly chunk: Buffer;
  readonly release: () => void;
}

/**
 * Pours `content` as it is iterated: a chunk is released when the next one is asked for. The last chunk is held back until the
 * pouring has ended without an error, so that nobody can take the body for whole before it is known to be good.
 */
export class Feed implements AsyncIterable<Buffer> {
  readonly #content: Bytes;
  readonly #waiting: Lent[] = [];
  readonly #stop = new AbortController();
  readonly #watch: StallWatch;
  #poured: Promise<void> | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `watch`: its time counts while a chunk is handed over and the next one is not wanted yet. */
  constructor(content: Bytes, watch: StallWatch) {
    this.#content = content;
    this.#watch = watch;
  }

  /** Begins to pour; to be called once, before the iteration. */
  start(signal: AbortSignal): this {
    const either = AbortSignal.any([signal, this.#stop.signal]);
    this.#poured = this.#content
      .pour((chunk, release) => {
        this.#waiting.push({ chunk, release });
        this.#wake?.();
      }, either)
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted || signal.aborted) this.#failure = { error };
      })
      .finally(() => {
        this.#ended = true;
        this.#wake?.();
      });
    return this;
  }

  /** Ends pouring and iteration if they still go on. Throws the content's own failure, if that came first. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("the body is wanted no more"));
    await this.#poured;
    for (const { release } of this.#waiting.splice(0)) release();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      while (this.#waiting.length < 2 && !this.#ended)
        await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      for (let at = 0; at < next.chunk.length; at += PART) {
        const part = next.chunk.subarray(at, at + PART);
        this.#watch.start();
        yield part.length < SMALL ? Buffer.from(part) : part;
        this.#watch.moved(part.length);
        this.#watch.rest();
      }
      next.release();
    }
  }
}
