// What an upload sends: content that comes once, and what of it must be read again.

import type { Bytes } from "../../../bytes.ts";
import type { BlobStream } from "../../../copy/interfaces.ts";
import { CopyError } from "../../../errors.ts";
import type { Digest } from "../../../image/digest.ts";
import { Relay } from "./relay.ts";

export interface KnownBlob extends Pick<BlobStream, "content"> {
  readonly again: BlobStream["again"] | undefined;
  readonly digest: Digest;
  readonly size: number;
}

export class UploadContent implements AsyncDisposable {
  readonly #blob: KnownBlob;
  readonly #relay: Relay;
  #failure: { readonly error: unknown } | undefined;

  constructor(blob: KnownBlob, signal: AbortSignal) {
    this.#blob = blob;
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

  /** The bytes from `from` up to `to`: first those that have passed, read again, then those that come. */
  body(from: number, to: number): Bytes {
    const { again, size } = this.#blob;
    const passed = Math.min(to, this.at);
    return exactly(to - from, {
      pour: async (sink, signal) => {
        try {
          if (from < passed) await again?.({ from, to: passed }).pour(sink, signal);
          // The last chunk counts only once the content has ended well.
          const left = to === size ? Infinity : to - Math.max(from, passed);
          if (left > 0) await this.#relay.take(left).pour(sink, signal);
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
  [Symbol.asyncDispose](): Promise<void> {
    return this.#relay[Symbol.asyncDispose]();
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
