// Huffman's coding as bzip2 has it: codes of up to 20 bits, told by their lengths.

import type { BitSource } from "./bits.ts";
import { layerInvalid } from "./layer-invalid.ts";

const LONGEST = 20;
/** Codes of so many bits are looked up at once. */
const QUICK = 10;

/** The tables of a block, for so many symbols each. */
export function readTables(bits: BitSource, count: number, symbols: number): HuffmanTable[] {
  return Array.from({ length: count }, () => {
    const lengths = new Uint8Array(symbols);
    let length = bits.take(5);
    for (let symbol = 0; symbol < symbols; symbol++) {
      for (;;) {
        if (length < 1 || length > LONGEST) throw damaged();
        if (bits.take(1) === 0) break;
        length += bits.take(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    return new HuffmanTable(lengths);
  });
}

const damaged = (): Error =>
  layerInvalid("the layer's bzip2 data is damaged (no such Huffman code)");

export class HuffmanTable {
  /** By the next `QUICK` bits: symbol and length of a code, `symbol << 5 | length`; 0: it is longer. */
  readonly #quick = new Uint16Array(1 << QUICK);
  /** By length: the highest code, and what leads from a code to its place among `#symbols`. */
  readonly #highest = new Int32Array(LONGEST + 1).fill(-1);
  readonly #offset = new Int32Array(LONGEST + 1);
  readonly #symbols: Uint16Array;
  readonly #longest: number;

  constructor(lengths: Uint8Array) {
    this.#symbols = new Uint16Array(lengths.length);
    this.#longest = Math.max(...lengths);
    let code = 0;
    let place = 0;
    for (let length = 1; length <= this.#longest; length++) {
      this.#offset[length] = place - code;
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== length) continue;
        this.#symbols[place++] = symbol;
        if (length <= QUICK) {
          const first = code << (QUICK - length);
          this.#quick.fill((symbol << 5) | length, first, first + (1 << (QUICK - length)));
        }
        code++;
      }
      this.#highest[length] = code - 1;
      code <<= 1;
    }
  }

  /** The next symbol. */
  take(bits: BitSource): number {
    // A block is followed by at least 80 bits: looking ahead is safe.
    const quick = this.#quick[bits.peek(QUICK)] as number;
    if (quick !== 0) {
      bits.skip(quick & 31);
      return quick >> 5;
    }
    for (let length = QUICK + 1; length <= this.#longest; length++) {
      const code = bits.peek(length);
      if (code > (this.#highest[length] as number)) continue;
      bits.skip(length);
      const symbol = this.#symbols[code + (this.#offset[length] as number)];
      if (symbol === undefined) throw damaged();
      return symbol;
    }
    throw damaged();
  }
}
