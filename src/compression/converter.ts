// Bytes that become others on their way, by something that takes a chunk at a time.

import { setImmediate } from "node:timers/promises";
import type { Bytes, Sink } from "../bytes.ts";

/** Makes other bytes of bytes, and lends them to an `Outlet`. Its calls do not overlap. */
export interface Converter extends AsyncDisposable {
  /** Settles when the chunk is needed no more. */
  write(chunk: Buffer): Promise<void>;
  /** After the last chunk; settles when the last byte was lent. */
  end(): Promise<void>;
}

/**
 * The content, as a converter makes it anew. Fails with the failure of the side that failed first: the content, the converter or
 * `signal`; the others have ended by then. `signal`, as the converter gets it, aborts with any of them.
 */
export const converted = (
  content: Bytes,
  open: (outlet: Outlet, signal: AbortSignal) => Converter,
): Bytes => ({
  pour: async (sink, signal) => {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    either.throwIfAborted();
    const inlet = new Inlet();
    const poured = inlet.fill(content, either).catch((error: unknown) => failed.abort(error));
    try {
      await using converter = open(new Outlet(sink, either), either);
      for await (const { chunk, release } of inlet) {
        try {
          either.throwIfAborted();
          await converter.write(chunk);
        } finally {
          release();
        }
      }
      await poured;
      either.throwIfAborted();
      await converter.end();
    } catch (error) {
      failed.abort(error);
    }
    await poured;
    inlet.release();
    either.throwIfAborted();
  },
});

interface Lent {
  readonly chunk: Buffer;
  readonly release: () => void;
}

/** What was poured and is not taken yet. */
class Inlet implements AsyncIterable<Lent> {
  readonly #waiting: Lent[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  /** Settles with the pouring. */
  async fill(content: Bytes, signal: AbortSignal): Promise<void> {
    try {
      await content.pour((chunk, release) => {
        this.#waiting.push({ chunk, release });
        this.#wake?.();
      }, signal);
    } finally {
      this.#ended = true;
      this.#wake?.();
    }
  }

  /** Gives back what nobody took. */
  release(): void {
    for (const { release } of this.#waiting.splice(0)) release();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Lent, void, void> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Bytes that are lent before one has to wait for some to come back. */
const LENT = 1024 * 1024;
/** No piece is longer: whoever hashes it holds up the event loop for as long. */
const PIECE = 256 * 1024;

/** Where converted bytes go. */
export class Outlet {
  readonly #sink: Sink;
  readonly #signal: AbortSignal;
  #lent = 0;
  #wake: (() => void) | undefined;

  constructor(sink: Sink, signal: AbortSignal) {
    this.#sink = sink;
    this.#signal = signal;
  }

  get isFull(): boolean {
    return this.#lent >= LENT;
  }

  /** Lends a piece at once, full or not. */
  lend(piece: Buffer): void {
    this.#lent += piece.length;
    this.#sink(piece, () => {
      this.#lent -= piece.length;
      this.#wake?.();
    });
  }

  /** Settles as soon as it is not full; throws the signal's reason. One may wait at a time. */
  async room(): Promise<void> {
    this.#signal.throwIfAborted();
    while (this.isFull) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#wake = wake;
      this.#signal.addEventListener("abort", wake, { once: true });
      await promise;
      this.#signal.removeEventListener("abort", wake);
      this.#signal.throwIfAborted();
    }
  }

  /** Lends all of it in pieces, as there is room, and lets the event loop breathe between them. */
  async pass(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (at > 0) await setImmediate();
      await this.room();
      this.lend(bytes.subarray(at, at + PIECE));
    }
  }
}
