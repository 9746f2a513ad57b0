// A tar as it comes: headers with the bytes that they are, and the content between them.

import type { ByteSource } from "../byte-source.ts";
import {
  BLOCK,
  invalidTar,
  mergeHeader,
  parseBlock,
  parseExtended,
  parseString,
  type Extended,
  type TarHeader,
} from "./tar-header.ts";

/** What comes next; `raw` is all of it that is no content, from the end of the last content on. */
export type TarPart =
  | { readonly type: "file"; readonly raw: Buffer; readonly header: TarHeader }
  /** The end marks; what follows is the source's rest. */
  | { readonly type: "end"; readonly raw: Buffer }
  /** Something that an index cannot say; nothing is known of what follows. */
  | { readonly type: "other"; readonly raw: Buffer };

/** An extended header or a long name must not be longer, nor all that belongs to one file. */
const LONGEST_SPECIAL = 1024 * 1024;
const LONGEST_RAW = 4 * LONGEST_SPECIAL;

export class TarReader {
  readonly #source: ByteSource;
  /** Bytes after the last content that are there to fill its block. */
  #padding = 0;
  readonly #raw: Uint8Array[] = [];
  #rawBytes = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The next headers; the content of the last file must have been taken. Throws `layer_invalid`. */
  next(): TarPart {
    while (this.#padding > 0) {
      // A last file without its padding: readers of an index trip over it.
      if (this.#source.isAtEnd()) return this.#part("other");
      this.#padding -= this.#keep(new Uint8Array(this.#source.some(this.#padding))).length;
    }
    return this.#headers();
  }

  #headers(): TarPart {
    let extended: Extended = new Map();
    const long: { name: Buffer | undefined; linkName: Buffer | undefined } = {
      name: undefined,
      linkName: undefined,
    };
    while (this.#rawBytes <= LONGEST_RAW) {
      const block = this.#block();
      if (block === undefined) return this.#part("end");
      const raw = parseBlock(block);
      if (raw === undefined || raw.type === "g") break;
      if (raw.type === "x") extended = parseExtended(this.#special(raw.size));
      else if (raw.type === "L") long.name = parseString(this.#special(raw.size));
      else if (raw.type === "K") long.linkName = parseString(this.#special(raw.size));
      else {
        const header = mergeHeader(raw, extended, long);
        if (header === undefined) break;
        this.#padding = -header.size & (BLOCK - 1);
        return { type: "file", raw: this.#takeRaw(), header };
      }
    }
    return this.#part("other");
  }

  /** A header block; undefined at the end, which two blocks of zero bytes mark, or one, or nothing. */
  #block(): Buffer | undefined {
    if (this.#source.isAtEnd()) return undefined;
    const block = this.#keep(this.#source.take(BLOCK));
    if (!isZero(block)) return block;
    if (!this.#source.isAtEnd() && !isZero(this.#keep(this.#source.take(BLOCK))))
      throw invalidTar("something follows its end");
    return undefined;
  }

  /** The content of an extended header or a long name. */
  #special(size: number): Buffer {
    if (size < 0 || size > LONGEST_SPECIAL) throw invalidTar("an extended header is too long");
    const body = this.#keep(this.#source.take(size));
    this.#keep(this.#source.take(-size & (BLOCK - 1)));
    return body;
  }

  #keep(bytes: Uint8Array): Buffer {
    this.#raw.push(bytes);
    this.#rawBytes += bytes.length;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #part(type: "end" | "other"): TarPart {
    return { type, raw: this.#takeRaw() };
  }

  #takeRaw(): Buffer {
    this.#rawBytes = 0;
    return Buffer.concat(this.#raw.splice(0));
  }
}

/** True if there are only zero bytes. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
