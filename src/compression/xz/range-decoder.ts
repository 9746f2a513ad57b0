import { layerInvalid } from "../layer-invalid.ts";

/** Half of a probability of 11 bits. */
export const EVEN = 1024;

/** Bits that are coded by how likely they are (LZMA specification, "Range decoder"). */
export class RangeDecoder {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #range = 0;
  #code = 0;

  /** Begins anew with the coded bytes of one chunk. */
  start(bytes: Uint8Array): void {
    if (bytes.length < 5 || bytes[0] !== 0) throw overrun();
    this.#bytes = bytes;
    this.#at = 5;
    this.#range = -1 >>> 0;
    this.#code = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  }

  /** All bytes were used, and nothing is left in them. */
  get isFinished(): boolean {
    return this.#at === this.#bytes.length && this.#code === 0;
  }

  /** One bit, by its probability, which learns from it. */
  bit(probabilities: Uint16Array, index: number): number {
    const probability = probabilities[index] as number;
    const bound = (this.#range >>> 11) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      probabilities[index] = probability + ((2048 - probability) >>> 5);
      if (bound < 0x1000000) this.#refill();
      return 0;
    }
    this.#code -= bound;
    this.#range -= bound;
    probabilities[index] = probability - (probability >>> 5);
    if (this.#range < 0x1000000) this.#refill();
    return 1;
  }

  /** A number of `bits` bits, the highest first; its probabilities are a tree from `base` on. */
  tree(probabilities: Uint16Array, base: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(probabilities, base + node);
    return node - (1 << bits);
  }

  /** The same, the lowest bit first. */
  reverseTree(probabilities: Uint16Array, base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(probabilities, base + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** A number of `bits` bits that are all equally likely. */
  direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      value = (value << 1) | bit;
      if (this.#range < 0x1000000) this.#refill();
    }
    return value >>> 0;
  }

  #refill(): void {
    if (this.#at === this.#bytes.length) throw overrun();
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#bytes[this.#at++] as number)) >>> 0;
  }
}

const overrun = (): Error => layerInvalid("the layer's xz data is damaged (a chunk's coding)");
