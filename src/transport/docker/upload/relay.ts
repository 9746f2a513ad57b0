// Content that is poured once, and taken by several requests after each other.

import type { Bytes, Sink } from "../../../bytes.ts";

interface Lent {
  readonly chunk: Buffer;
  readonly release: () => void;
}

/** Nothing is poured before something is taken; between two takers the source rests once too much is lent. */
export class Relay implements AsyncDisposable {
  readonly #content: Bytes;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  /** What came, and nobody has taken yet. */
  readonly #held: Lent[] = [];
  #at = 0;
  #poured: Promise<void> | undefined;
  #outcome: { readonly error?: unknown } | undefined;
  #onMove: () => void = () => {};

  constructor(content: Bytes, signal: AbortSignal) {
    this.#content = content;
    this.#signal = signal;
  }

  /** How many bytes were taken, by whomever, whatever became of them. */
  get at(): number {
    return this.#at;
  }

  /** The next bytes; all that are left, if no number is said. Ends early where the content does. One taker at a time. */
  take(bytes = Infinity): Bytes {
    return { pour: (sink, signal) => this.#give(bytes, sink, signal) };
  }

  /** Takes bytes that nobody wants. */
  skip(bytes: number): Promise<void> {
    return this.#give(bytes, (_chunk, release) => release(), this.#signal);
  }

  /** Resolves once the content has ended well, which it has not while somebody could still take something. */
  async ended(): Promise<void> {
    this.#start();
    await this.#poured;
    if (this.#outcome !== undefined && "error" in this.#outcome) throw this.#outcome.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the content is wanted no more"));
    await this.#poured;
    for (const { release } of this.#held.splice(0)) release();
  }

  async #give(bytes: number, sink: Sink, signal: AbortSignal): Promise<void> {
    let left = bytes;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    const move = (): void => {
      while (left > 0 && !signal.aborted) {
        const next = this.#next(left);
        if (next === undefined) break;
        left -= next.chunk.length;
        this.#at += next.chunk.length;
        sink(next.chunk, next.release);
      }
      if (this.#outcome !== undefined && "error" in this.#outcome) reject(this.#outcome.error);
      else if (left === 0 || (this.#outcome !== undefined && this.#held.length === 0)) resolve();
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    this.#onMove = move;
    this.#start();
    move();
    try {
      await promise;
    } finally {
      this.#onMove = () => {};
      signal.removeEventListener("abort", abort);
    }
  }

  /** A chunk of at most so many bytes; the rest of one that is longer stays here. */
  #next(limit: number): Lent | undefined {
    const next = this.#held.shift();
    if (next === undefined || next.chunk.length <= limit) return next;
    let parts = 2;
    const release = (): void => {
      if (--parts === 0) next.release();
    };
    this.#held.unshift({ chunk: next.chunk.subarray(limit), release });
    return { chunk: next.chunk.subarray(0, limit), release };
  }

  #start(): void {
    this.#poured ??= this.#content
      .pour(
        (chunk, release) => {
          this.#held.push({ chunk, release });
          this.#onMove();
        },
        AbortSignal.any([this.#signal, this.#stop.signal]),
      )
      .then(
        () => void (this.#outcome = {}),
        (error: unknown) => void (this.#outcome = { error }),
      )
      .finally(() => this.#onMove());
  }
}
