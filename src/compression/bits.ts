import { layerInvalid } from "./layer-invalid.ts";

/** Bits of bytes that come in pieces, the highest bit of a byte first. */
export class BitSource {
  readonly #read: () => Uint8Array | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** The bits that are read and not taken: the lowest `#count` of them. */
  #bits = 0;
  #count = 0;

  constructor(read: () => Uint8Array | undefined) {
    this.#read = read;
  }

  /** The next `count` bits, 1 to 24, as a number. Throws `layer_invalid` at the end of the bytes. */
  take(count: number): number {
    const bits = this.peek(count);
    this.#count -= count;
    return bits;
  }

  /** The same, without taking them. */
  peek(count: number): number {
    while (this.#count < count) {
      if (this.#at === this.#bytes.length && !this.#refill())
        throw layerInvalid("the layer's bzip2 data is cut short");
      this.#bits = (this.#bits << 8) | (this.#bytes[this.#at++] as number);
      this.#count += 8;
    }
    return (this.#bits >>> (this.#count - count)) & ((1 << count) - 1);
  }

  /** Takes bits that were peeked at. */
  skip(count: number): void {
    this.#count -= count;
  }

  /** 32 bits, without a sign. */
  take32(): number {
    return this.take(16) * 0x10000 + this.take(16);
  }

  /** Drops the rest of a byte; true if nothing follows. */
  isAtEnd(): boolean {
    this.#count -= this.#count % 8;
    return this.#count === 0 && this.#at === this.#bytes.length && !this.#refill();
  }

  #refill(): boolean {
    const bytes = this.#read();
    this.#at = 0;
    this.#bytes = bytes ?? new Uint8Array(0);
    return bytes !== undefined;
  }
}
