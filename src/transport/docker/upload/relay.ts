// Content that is poured once, and taken by several requests after each other.

import type { Bytes, Sink } from "../../../bytes.ts";

/**
 * While more bytes than this are with a taker, nothing more is given: what is with him when he fails must be had again, what is still here
 * must not. Enough that a socket never waits for the next.
 */
const GIVEN = 1024 * 1024;

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
    const given = new Given();
    let isMoving = false;
    const move = (): void => {
      if (isMoving) return;
      isMoving = true;
      try {
        while (left > 0 && !signal.aborted && !given.isEnough) {
          const next = this.#next(left);
          if (next === undefined) break;
          left -= next.chunk.length;
          this.#at += next.chunk.length;
          given.lend(next, sink, move);
        }
      } catch (error) {
        left = 0;
        return reject(error);
      } finally {
        isMoving = false;
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
      left = 0;
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

/** What a taker has now. */
class Given {
  #bytes = 0;
  #chunks = 0;

  /** Senders hold a chunk back, which may be the last: there must be another. */
  get isEnough(): boolean {
    return this.#bytes >= GIVEN && this.#chunks > 1;
  }

  lend({ chunk, release }: Lent, sink: Sink, onReleased: () => void): void {
    this.#bytes += chunk.length;
    this.#chunks++;
    let isLent = true;
    sink(chunk, () => {
      if (!isLent) return;
      isLent = false;
      this.#bytes -= chunk.length;
      this.#chunks--;
      release();
      onReleased();
    });
  }
}
