// The last bytes that an upload has sent. A connection that breaks loses what the system and the network had of it; what the registry
// has not got of that is sent again from here, and not read again at the source.

import type { Sink, Span } from "../../../bytes.ts";
import type { Slab, Slabs } from "../wire/slabs.ts";

/** As a wire's slabs for TCP: either can be used for the other. */
const PIECE = 1024 * 1024;

interface Piece {
  readonly slab: Slab;
  /** Of its first byte, in the blob. */
  readonly from: number;
  length: number;
}

/** Bytes that all windows of a process have at most. */
const ALL = 32 * 1024 * 1024;
/**
 * Bytes of one. Under way may be what a socket of Linux takes (4 MiB, tcp_wmem) and what its peer does (6 MiB, tcp_rmem), both of them
 * twice where a proxy stands between, and what a socket was given and has not taken (relay.ts).
 */
const MOST = 24 * 1024 * 1024;

/** The windows of one process: the more there are, the smaller is each. */
export class SentWindows {
  readonly #slabs: Slabs;
  readonly #limits: { readonly all: number; readonly most: number };
  readonly #open = new Set<SentWindow>();

  constructor(slabs: Slabs, limits = { all: ALL, most: MOST }) {
    this.#slabs = slabs;
    this.#limits = limits;
  }

  /** Bytes that each may keep now. */
  get share(): number {
    return Math.min(this.#limits.most, this.#limits.all / Math.max(1, this.#open.size));
  }

  open(): SentWindow {
    const window = new SentWindow(this.#slabs, {
      share: () => this.share,
      onClosed: () => void this.#open.delete(window),
    });
    this.#open.add(window);
    return window;
  }
}

interface Owner {
  readonly share: () => number;
  readonly onClosed: () => void;
}

/** Memory is taken as bytes come, and given back when they go. */
export class SentWindow implements Disposable {
  readonly #slabs: Slabs;
  readonly #owner: Owner;
  /** Without gaps; each full but for the last. */
  #pieces: Piece[] = [];
  /** After the last byte. */
  #end = 0;

  constructor(slabs: Slabs, owner: Owner) {
    this.#slabs = slabs;
    this.#owner = owner;
  }

  /** The first of the bytes up to `end` from which on all are here; `end`, if none is. */
  since(end: number): number {
    const first = this.#pieces[0]?.from ?? end;
    return first < end && end <= this.#end ? first : end;
  }

  /** Copies a chunk whose first byte is the blob's `at`th. What goes before what is here is not kept; after a gap all begins anew. */
  keep(at: number, chunk: Buffer): void {
    if (at > this.#end || this.#pieces.length === 0) this.#drop(this.#pieces.length, at);
    if (at !== this.#end) return;
    for (let done = 0; done < chunk.length;) {
      const piece = this.#room();
      const copied = chunk.copy(piece.slab.bytes, piece.length, done);
      piece.length += copied;
      this.#end += copied;
      done += copied;
    }
  }

  /** Lends the bytes of a span, which must all be here. */
  lend({ from, to }: Span, sink: Sink): void {
    for (const { slab, from: first, length } of this.#pieces) {
      const part = slab.bytes.subarray(
        Math.max(0, from - first),
        Math.max(0, Math.min(length, to - first)),
      );
      if (part.length === 0) continue;
      slab.users++;
      let isLent = true;
      sink(part, () => {
        if (!isLent) return;
        isLent = false;
        slab.users--;
        this.#recycle(slab);
      });
    }
  }

  /** Keeps nothing any more; memory that is lent is given back when that ends. */
  [Symbol.dispose](): void {
    this.#drop(this.#pieces.length, this.#end);
    this.#owner.onClosed();
  }

  /** The last piece, if it has room, or a new one. */
  #room(): Piece {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length < PIECE) return last;
    const most = Math.max(1, Math.floor(this.#owner.share() / PIECE));
    this.#drop(Math.max(0, this.#pieces.length + 1 - most), this.#end);
    const piece = { slab: this.#slabs.take(PIECE), from: this.#end, length: 0 };
    this.#pieces.push(piece);
    return piece;
  }

  #drop(count: number, end: number): void {
    const gone = this.#pieces.splice(0, count);
    this.#end = end;
    for (const { slab } of gone) {
      slab.full = true;
      this.#recycle(slab);
    }
  }

  #recycle(slab: Slab): void {
    if (slab.users > 0 || !slab.full) return;
    slab.full = false;
    this.#slabs.giveBack(slab);
  }
}
