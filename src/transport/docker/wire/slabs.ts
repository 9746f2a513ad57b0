// Memory for bodies: a few large pieces that are used again and again, so that V8 neither zeroes nor collects them.

export interface Slab {
  readonly bytes: Buffer;
  /** Who has parts of it. */
  users: number;
  /** Nothing more is received into it. */
  full: boolean;
}

/** Bytes that are kept for later at most, whatever was in use at once. */
const KEPT = 32 * 1024 * 1024;

/** The slabs of one process that nobody uses now. */
export class Slabs {
  readonly #spare = new Map<number, Buffer[]>();
  #kept = 0;

  /** Its bytes are somebody's old ones. */
  take(size: number): Slab {
    const spare = this.#spare.get(size)?.pop();
    if (spare !== undefined) this.#kept -= size;
    // A Buffer of its own, not a part of Node's pool.
    return { bytes: spare ?? Buffer.allocUnsafeSlow(size), users: 0, full: false };
  }

  /** Nobody may read or write it from now on. */
  giveBack({ bytes }: Slab): void {
    if (this.#kept + bytes.length > KEPT) return;
    this.#kept += bytes.length;
    const spare = this.#spare.get(bytes.length);
    if (spare === undefined) this.#spare.set(bytes.length, [bytes]);
    else spare.push(bytes);
  }
}
