// LZMA2: chunks of LZMA, or of bytes as they are (LZMA specification; XZ for Java's and xz-embedded's account of LZMA2).

import type { ByteSource } from "../byte-source.ts";
import { layerInvalid } from "../layer-invalid.ts";
import { Dictionary } from "./dictionary.ts";
import { LzmaState } from "./lzma.ts";
import { RangeDecoder } from "./range-decoder.ts";

const damaged = (what: string): Error => layerInvalid(`the layer's xz data is damaged (${what})`);

export class Lzma2 {
  readonly #source: ByteSource;
  readonly #dictionary: Dictionary;
  readonly #coder = new RangeDecoder();
  #lzma: LzmaState | undefined;

  /** `limit`: the dictionary's bytes. */
  constructor(source: ByteSource, limit: number, write: (bytes: Uint8Array) => void) {
    this.#source = source;
    this.#dictionary = new Dictionary(limit, write);
  }

  /** Decompresses up to the end mark; returns how many bytes came out. */
  run(): number {
    let total = 0;
    let mayContinue = false;
    for (;;) {
      const control = this.#source.takeByte();
      if (control === 0) break;
      const isReset = control === 1 || control >= 0xe0;
      if (!isReset && !mayContinue) throw damaged("the first chunk needs others");
      if (isReset) {
        this.#dictionary.reset();
        this.#lzma = undefined;
      }
      mayContinue = true;
      total += control >= 0x80 ? this.#compressed(control) : this.#stored(control);
    }
    this.#dictionary.flush();
    return total;
  }

  /** Bytes as they are. */
  #stored(control: number): number {
    if (control > 2) throw damaged("no such chunk");
    const length = this.#size();
    for (const byte of this.#source.take(length)) this.#dictionary.put(byte);
    return length;
  }

  #compressed(control: number): number {
    const length = (control & 0x1f) * 0x10000 + this.#size();
    const compressed = this.#size();
    const reset = (control >> 5) & 3;
    if (reset >= 2) this.#lzma = LzmaState.of(this.#source.takeByte());
    else if (reset === 1) this.#lzma?.reset();
    if (this.#lzma === undefined) throw damaged("a chunk without properties");
    this.#coder.start(this.#source.take(compressed));
    this.#lzma.run(this.#coder, this.#dictionary, length);
    if (!this.#coder.isFinished) throw damaged("a chunk has another size");
    return length;
  }

  /** 1 to 64 KiB. */
  #size(): number {
    return this.#source.takeByte() * 256 + this.#source.takeByte() + 1;
  }
}
