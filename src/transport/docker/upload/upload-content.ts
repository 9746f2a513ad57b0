// What an upload sends: content that comes once, and what of it must be sent again: from the window, or read again at the source.

import type { Bytes, Sink } from "../../../bytes.ts";
import type { BlobStream } from "../../../copy/interfaces.ts";
import { CopyError } from "../../../errors.ts";
import type { Digest } from "../../../image/digest.ts";
import { raceAbort } from "../race-abort.ts";
import { Relay } from "./relay.ts";
import type { SentWindow, SentWindows } from "./sent-window.ts";

export interface KnownBlob extends Pick<BlobStream, "content"> {
  readonly again: BlobStream["again"] | undefined;
  readonly digest: Digest;
  readonly size: number;
}

/** Whether the last of the bytes that were sent are kept. */
export interface Keeping {
  /** Once it is, they are kept until the upload ends. */
  readonly isWanted: boolean;
  /** Hears that it would have been of use. */
  readonly want: () => void;
  readonly windows: SentWindows;
}

export class UploadContent implements AsyncDisposable {
  readonly #blob: KnownBlob;
  readonly #keeping: Keeping;
  readonly #relay: Relay;
  #window: SentWindow | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(blob: KnownBlob, keeping: Keeping, signal: AbortSignal) {
    this.#blob = blob;
    this.#keeping = keeping;
    this.#relay = new Relay(exactly(blob.size, blob.content), signal);
  }

  /** How many bytes have passed. */
  get at(): number {
    return this.#relay.at;
  }

  /** Whether any byte may still be asked for. */
  get canRepeat(): boolean {
    return this.#blob.again !== undefined || this.at === 0;
  }

  /** What failed at the source, if it did; no destination is to blame then. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Lets bytes pass that the registry has already; they are seen by whoever checks them on the way. */
  async skipTo(from: number): Promise<void> {
    if (from > this.at) await this.#relay.skip(from - this.at);
  }

  /** The bytes from `from` up to `to`: first those that have passed, as far as they are not kept read again, then those that come. */
  body(from: number, to: number): Bytes {
    const { size } = this.#blob;
    const passed = Math.min(to, this.at);
    return exactly(to - from, {
      pour: async (sink, signal) => {
        try {
          const next = Math.max(from, passed);
          // The last chunk counts only once the content has ended well.
          const left = to === size ? Infinity : to - next;
          const lent = new Lent(sink);
          if (from < passed) await this.#repeat(from, passed, lent.sink, signal);
          if (left > 0) await lent.isLittle(signal);
          if (left > 0) await this.#relay.take(left).pour(this.#kept(next, sink), signal);
        } catch (error) {
          if (!signal.aborted) this.#failure = { error };
          throw error;
        }
      },
    });
  }

  /** Resolves once all has passed, and was good. */
  ended(): Promise<void> {
    return this.#relay.ended();
  }

  /** Ends the content, if it has not. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
    this.#window?.[Symbol.dispose]();
  }

  async #repeat(from: number, to: number, sink: Sink, signal: AbortSignal): Promise<void> {
    // Where all is lost, the registry takes no upload up again.
    if (from > 0) this.#keeping.want();
    const held = Math.max(from, this.#window?.since(to) ?? to);
    if (from < held)
      await this.#blob.again?.({ from, to: held }).pour(this.#kept(from, sink), signal);
    if (held < to) this.#window?.lend({ from: held, to }, sink);
  }

  /** Keeps the bytes that go to `sink`, of which the first is the blob's `from`th. */
  #kept(from: number, sink: Sink): Sink {
    let at = from;
    return (chunk, release) => {
      if (this.#keeping.isWanted) this.#window ??= this.#keeping.windows.open();
      this.#window?.keep(at, chunk);
      at += chunk.length;
      sink(chunk, release);
    };
  }
}

/**
 * What is sent again and not on its way yet. New bytes come after it: where connections break one after the other, they would be lost as
 * well, and what is lost would grow with each.
 */
class Lent {
  readonly sink: Sink;
  #chunks = 0;
  #onReleased = () => {};

  constructor(sink: Sink) {
    this.sink = (chunk, release) => {
      this.#chunks++;
      sink(chunk, () => {
        this.#chunks--;
        this.#onReleased();
        release();
      });
    };
  }

  /** Resolves once a chunk is left at most: senders hold one back, which may be the last of all. */
  async isLittle(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onReleased = () => this.#chunks <= 1 && resolve();
    this.#onReleased();
    await raceAbort(promise, signal);
  }
}

/** The same content; fails if it is not of this size, before its last chunk counts. */
const exactly = (size: number, content: Bytes): Bytes => ({
  async pour(sink, signal) {
    let left = size;
    const wrong = () =>
      new CopyError("size_mismatch", `the blob has not the ${size} bytes of its descriptor`, {
        side: "source",
        phase: "blob",
      });
    await content.pour((chunk, release) => {
      left -= chunk.length;
      if (left < 0) throw wrong();
      sink(chunk, release);
    }, signal);
    if (left > 0) throw wrong();
  },
});
