// Where a file's content is cut into chunks: at the same places wherever the same bytes are, so that readers find again what they have.

const WINDOW = 64;
const OFFSET = 31;
/** A chunk ends where the checksum's lowest 16 bits are all ones: after 64 KiB, on the average. */
const MASK = 0xffff;
/** So many zero bytes in a row are a chunk of their own. */
const HOLE = 1024;

/** Told where a chunk ends, in bytes from the file's start, and whether it is zero bytes only. It may be where the last one ended. */
export type Cut = (end: number, isHole: boolean) => void;

/** The rolling checksum of bup and rsync, as containers/storage has it (semantics 4.7). */
export class Rolling {
  readonly #cut: Cut;
  readonly #window = new Uint8Array(WINDOW);
  #slot = 0;
  #s1 = WINDOW * OFFSET;
  #s2 = WINDOW * (WINDOW - 1) * OFFSET;
  /** Bytes that were seen. */
  #at = 0;
  /** Zero bytes at the end of what was seen; they are not in the checksum yet. */
  #zeros = 0;

  constructor(cut: Cut) {
    this.#cut = cut;
  }

  /** No chunk will end before it, but for those that were told of. */
  get settled(): number {
    return this.#zeros < HOLE ? this.#at - this.#zeros : this.#at;
  }

  scan(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length;) {
      const byte = bytes[i] as number;
      if (byte !== 0) {
        if (this.#zeros > 0) this.#leaveZeros();
        i = this.#scanContent(bytes, i);
        continue;
      }
      i++;
      this.#at++;
      if (++this.#zeros === HOLE) this.#cut(this.#at - HOLE, false);
    }
  }

  /** From the byte at `start` up to the next zero byte: the inner loop, by far the longest. Returns where it ended. */
  #scanContent(bytes: Uint8Array, start: number): number {
    const window = this.#window;
    let slot = this.#slot;
    let s1 = this.#s1;
    let s2 = this.#s2;
    let i = start;
    for (; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (byte === 0) break;
      const dropped = window[slot] as number;
      window[slot] = byte;
      slot = (slot + 1) & (WINDOW - 1);
      s1 = (s1 + byte - dropped) | 0;
      s2 = (s2 + s1 - WINDOW * (dropped + OFFSET)) | 0;
      if ((s2 & MASK) === MASK) this.#cut(this.#at + i + 1 - start, false);
    }
    this.#at += i - start;
    this.#slot = slot;
    this.#s1 = s1;
    this.#s2 = s2;
    return i;
  }

  /** The file's end. */
  end(): void {
    this.#leaveZeros();
    this.#cut(this.#at, false);
  }

  /** What follows zero bytes tells what they were: a hole, or content like any other. */
  #leaveZeros(): void {
    const count = this.#zeros;
    this.#zeros = 0;
    const isHole = count >= HOLE;
    // After a window of zeros, another one changes nothing.
    for (let n = 1; n <= (isHole ? WINDOW : count); n++) {
      this.#rollZero();
      if (!isHole && (this.#s2 & MASK) === MASK) this.#cut(this.#at - count + n, false);
    }
    if (isHole) this.#cut(this.#at, true);
  }

  #rollZero(): void {
    const dropped = this.#window[this.#slot] as number;
    this.#window[this.#slot] = 0;
    this.#slot = (this.#slot + 1) & (WINDOW - 1);
    this.#s1 = (this.#s1 - dropped) | 0;
    this.#s2 = (this.#s2 + this.#s1 - WINDOW * (dropped + OFFSET)) | 0;
  }
}
