import { layerInvalid } from "./layer-invalid.ts";

/** Bytes that come in pieces. */
export class ByteSource {
  readonly #read: () => Uint8Array | undefined;
  readonly #what: string;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bytes that were taken. */
  taken = 0;

  /** `what` it is that may be cut short. */
  constructor(read: () => Uint8Array | undefined, what: string) {
    this.#read = read;
    this.#what = what;
  }

  /** The next `length` bytes, the caller's own. Throws `layer_invalid` if there are fewer. */
  take(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const piece = this.some(length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }

  /** At least one byte and at most `most`, as they came: not to be kept. Throws `layer_invalid` if there is none. */
  some(most: number): Uint8Array {
    if (this.isAtEnd()) throw this.#cutShort();
    const piece = this.#bytes.subarray(this.#at, this.#at + most);
    this.#at += piece.length;
    this.taken += piece.length;
    return piece;
  }

  takeByte(): number {
    if (this.isAtEnd()) throw this.#cutShort();
    this.taken++;
    return this.#bytes[this.#at++] as number;
  }

  isAtEnd(): boolean {
    if (this.#at < this.#bytes.length) return false;
    this.#bytes = this.#read() ?? new Uint8Array(0);
    this.#at = 0;
    return this.#bytes.length === 0;
  }

  #cutShort(): Error {
    return layerInvalid(`the layer's ${this.#what} is cut short`);
  }
}
