// LZMA's symbols: single bytes, and repetitions of what came before (LZMA specification).

import { layerInvalid } from "../layer-invalid.ts";
import type { Dictionary } from "./dictionary.ts";
import { EVEN, type RangeDecoder } from "./range-decoder.ts";

const STATES = 12;
/** States below it follow a single byte. */
const FIRST_MATCH_STATE = 7;
const POSITION_STATES = 16;
const SHORTEST = 2;
/** Distances from here on have bits that are not learnt. */
const FIRST_DIRECT_SLOT = 14;
const ALIGN_BITS = 4;

/** The lengths of repetitions: 2 to 273 bytes. */
class Lengths {
  /** The choices, eight lengths and eight more for each position, and 256 for all. */
  readonly #probabilities = new Uint16Array(2 + 2 * POSITION_STATES * 8 + 256).fill(EVEN);

  decode(coder: RangeDecoder, position: number): number {
    const p = this.#probabilities;
    if (coder.bit(p, 0) === 0) return SHORTEST + coder.tree(p, 2 + position * 8, 3);
    if (coder.bit(p, 1) === 0)
      return SHORTEST + 8 + coder.tree(p, 2 + (POSITION_STATES + position) * 8, 3);
    return SHORTEST + 16 + coder.tree(p, 2 + 2 * POSITION_STATES * 8, 8);
  }
}

/** All that is learnt. */
class Probabilities {
  readonly isMatch = new Uint16Array(STATES * POSITION_STATES).fill(EVEN);
  readonly isRep = new Uint16Array(STATES).fill(EVEN);
  readonly isRepG0 = new Uint16Array(STATES).fill(EVEN);
  readonly isRepG1 = new Uint16Array(STATES).fill(EVEN);
  readonly isRepG2 = new Uint16Array(STATES).fill(EVEN);
  readonly isRep0Long = new Uint16Array(STATES * POSITION_STATES).fill(EVEN);
  readonly slot = new Uint16Array(4 * 64).fill(EVEN);
  readonly special = new Uint16Array(128).fill(EVEN);
  readonly align = new Uint16Array(1 << ALIGN_BITS).fill(EVEN);
  readonly matchLengths = new Lengths();
  readonly repLengths = new Lengths();
  readonly literal: Uint16Array;

  constructor(literalBits: number) {
    this.literal = new Uint16Array(0x300 << literalBits).fill(EVEN);
  }
}

export class LzmaState {
  readonly #lc: number;
  readonly #lp: number;
  readonly #pb: number;
  #p: Probabilities;
  #state = 0;
  /** The last four distances, less one. */
  #reps: [number, number, number, number] = [0, 0, 0, 0];

  /** By the byte that holds lc, lp and pb. */
  static of(properties: number): LzmaState {
    const [lc, lp, pb] = [
      properties % 9,
      Math.floor(properties / 9) % 5,
      Math.floor(properties / 45),
    ];
    if (pb > 4 || lc + lp > 4)
      throw layerInvalid("the layer's xz data is damaged (no such properties)");
    return new LzmaState(lc, lp, pb);
  }

  private constructor(lc: number, lp: number, pb: number) {
    this.#lc = lc;
    this.#lp = lp;
    this.#pb = pb;
    this.#p = new Probabilities(lc + lp);
  }

  /** Forgets what was learnt. */
  reset(): void {
    this.#p = new Probabilities(this.#lc + this.#lp);
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
  }

  /** Puts exactly `length` bytes into the dictionary. */
  run(coder: RangeDecoder, dictionary: Dictionary, length: number): void {
    for (let left = length; left > 0;) {
      const position = dictionary.position & ((1 << this.#pb) - 1);
      const at = this.#state * POSITION_STATES + position;
      left -=
        coder.bit(this.#p.isMatch, at) === 0
          ? this.#single(coder, dictionary)
          : this.#match(coder, dictionary, position, at, left);
    }
  }

  /** One byte; after a repetition, the byte that would have come next helps to tell it. */
  #single(coder: RangeDecoder, dictionary: Dictionary): number {
    const context =
      ((dictionary.position & ((1 << this.#lp) - 1)) << this.#lc) |
      (dictionary.get(0) >> (8 - this.#lc));
    const base = 0x300 * context;
    const p = this.#p.literal;
    let symbol = 1;
    if (this.#state >= FIRST_MATCH_STATE) {
      let expected = dictionary.get(this.#reps[0]);
      do {
        const wanted = (expected >> 7) & 1;
        expected <<= 1;
        const bit = coder.bit(p, base + ((1 + wanted) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== wanted) break;
      } while (symbol < 0x100);
    }
    while (symbol < 0x100) symbol = (symbol << 1) | coder.bit(p, base + symbol);
    dictionary.put(symbol & 0xff);
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
    return 1;
  }

  #match(
    coder: RangeDecoder,
    dictionary: Dictionary,
    position: number,
    at: number,
    left: number,
  ): number {
    const length =
      coder.bit(this.#p.isRep, this.#state) === 0
        ? this.#newMatch(coder, position)
        : this.#repMatch(coder, position, at);
    if (length > left)
      throw layerInvalid("the layer's xz data is damaged (a chunk is longer than it says)");
    dictionary.repeat(this.#reps[0], length);
    return length;
  }

  #newMatch(coder: RangeDecoder, position: number): number {
    const length = this.#p.matchLengths.decode(coder, position);
    const [a, b, c] = this.#reps;
    this.#reps = [this.#distance(coder, length), a, b, c];
    this.#state = this.#state < FIRST_MATCH_STATE ? 7 : 10;
    return length;
  }

  /** A distance that was used shortly before. */
  #repMatch(coder: RangeDecoder, position: number, at: number): number {
    const isAfterSingle = this.#state < FIRST_MATCH_STATE;
    const [a, b, c, d] = this.#reps;
    if (coder.bit(this.#p.isRepG0, this.#state) === 0) {
      if (coder.bit(this.#p.isRep0Long, at) === 0) {
        this.#state = isAfterSingle ? 9 : 11;
        return 1;
      }
    } else if (coder.bit(this.#p.isRepG1, this.#state) === 0) this.#reps = [b, a, c, d];
    else if (coder.bit(this.#p.isRepG2, this.#state) === 0) this.#reps = [c, a, b, d];
    else this.#reps = [d, a, b, c];
    this.#state = isAfterSingle ? 8 : 11;
    return this.#p.repLengths.decode(coder, position);
  }

  #distance(coder: RangeDecoder, length: number): number {
    const slot = coder.tree(this.#p.slot, Math.min(length - SHORTEST, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < FIRST_DIRECT_SLOT)
      return base + coder.reverseTree(this.#p.special, base - slot, bits);
    const direct = coder.direct(bits - ALIGN_BITS) * (1 << ALIGN_BITS);
    return base + direct + coder.reverseTree(this.#p.align, 0, ALIGN_BITS);
  }
}
