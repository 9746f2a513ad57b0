// Compressed bytes on their way out: frames that begin where we say, and frames that decompressors skip.

import { zstdFrame } from "../zstd-frame.ts";

/** Bytes that are handed on at a time. */
const PIECE = 256 * 1024;
/** What decompressors skip begins with this and its length. */
const SKIPPABLE = Buffer.from("502a4d18", "hex");

export class FrameWriter {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #level: number;
  readonly #out = new Uint8Array(PIECE);
  #filled = 0;
  readonly #open: Uint8Array[] = [];
  #openBytes = 0;
  /** Bytes that were written: where the next frame begins. */
  offset = 0;

  /** `level`: zstd's own. */
  constructor(write: (bytes: Uint8Array) => void, level: number) {
    this.#write = write;
    this.#level = level;
  }

  /** Adds bytes, which are ours then, to the open frame, which ends at the latest after `frameBytes`. */
  add(bytes: Uint8Array, frameBytes: number): void {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + frameBytes - this.#openBytes);
      this.#open.push(piece);
      this.#openBytes += piece.length;
      at += piece.length;
      if (this.#openBytes === frameBytes) this.close();
    }
  }

  /** Ends the open frame, if it has anything; returns where the next one begins. */
  close(): number {
    if (this.#openBytes > 0) this.frame(Buffer.concat(this.#open.splice(0)));
    this.#openBytes = 0;
    return this.offset;
  }

  /** One frame of these bytes, for itself. */
  frame(bytes: Uint8Array): void {
    this.#put(zstdFrame(bytes, this.#level));
  }

  /** Bytes that decompressors skip; returns where they begin. */
  skippable(bytes: Uint8Array): number {
    const header = Buffer.concat([SKIPPABLE, Buffer.alloc(4)]);
    header.writeUInt32LE(bytes.length, 4);
    this.#put(header);
    const { offset } = this;
    this.#put(bytes);
    return offset;
  }

  /** Hands on what is left. */
  end(): void {
    if (this.#filled > 0) this.#write(this.#out.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #put(bytes: Uint8Array): void {
    this.offset += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + PIECE - this.#filled);
      this.#out.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === PIECE) this.end();
    }
  }
}

/** Text that is compressed as it comes, in frames of 1 MiB: it can be longer than one likes to hold. */
export class CompressedText {
  readonly #frames: Uint8Array[] = [];
  readonly #level: number;
  #open: string[] = [];
  #openLength = 0;
  /** Bytes, uncompressed. */
  bytes = 0;

  constructor(level: number) {
    this.#level = level;
  }

  add(text: string): void {
    this.#open.push(text);
    this.#openLength += text.length;
    if (this.#openLength >= 1024 * 1024) this.#close();
  }

  /** All of it, compressed. */
  end(): Buffer {
    this.#close();
    return Buffer.concat(this.#frames);
  }

  #close(): void {
    const bytes = Buffer.from(this.#open.join(""));
    this.#open = [];
    this.#openLength = 0;
    this.bytes += bytes.length;
    if (bytes.length > 0) this.#frames.push(zstdFrame(bytes, this.#level));
  }
}
