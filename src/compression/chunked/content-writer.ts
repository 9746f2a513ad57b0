// A file's content in chunks, each in frames of its own, so that a reader can fetch and check it by itself.

import { createHash, type Hash } from "node:crypto";
import type { ByteSource } from "../byte-source.ts";
import { Crc64 } from "./crc64.ts";
import type { FrameWriter } from "./frames.ts";
import type { WrittenChunk, WrittenContent } from "./layer-index.ts";
import { Rolling } from "./rolling.ts";

/** A chunk is longer than a frame only where nothing cuts it. */
export const FRAME_BYTES = 1024 * 1024;

/** Content can be made so that it is cut again and again; the last of so many chunks takes the rest. */
const MOST_CHUNKS = 200_000;

const digestOf = (hash: Hash): string => `sha256:${hash.digest("hex")}`;

/** Takes `size` bytes, at least one, and writes them. Throws `layer_invalid` if there are fewer. */
export function writeContent(
  source: ByteSource,
  size: number,
  frames: FrameWriter,
  mostChunks = MOST_CHUNKS,
): WrittenContent {
  const writer = new ContentWriter(size, frames, mostChunks);
  for (let left = size; left > 0;) {
    const piece = source.some(left);
    writer.write(piece);
    left -= piece.length;
  }
  return writer.end();
}

class ContentWriter {
  readonly #size: number;
  readonly #frames: FrameWriter;
  readonly #mostChunks: number;
  readonly #offset: number;
  readonly #digest = createHash("sha256");
  readonly #sum = new Crc64();
  readonly #rolling = new Rolling((end, isHole) => this.#cut(end, isHole));
  readonly #chunks: WrittenChunk[] = [];
  /** What is not in a frame yet, from `#framed` on. */
  #held: Uint8Array = new Uint8Array(0);
  #framed = 0;
  #chunkStart = 0;
  #chunkOffset: number;
  #chunkDigest: Hash | undefined;

  constructor(size: number, frames: FrameWriter, mostChunks: number) {
    this.#size = size;
    this.#frames = frames;
    this.#mostChunks = mostChunks;
    this.#offset = frames.close();
    this.#chunkOffset = this.#offset;
  }

  write(piece: Uint8Array): void {
    this.#digest.update(piece);
    this.#sum.update(piece);
    this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    this.#rolling.scan(piece);
    // Where frames end must not depend on how the content was cut on its way here: what is whole is what is known to have more behind it.
    while (this.#rolling.settled - this.#framed > FRAME_BYTES) this.#frame(FRAME_BYTES);
    this.#held = new Uint8Array(this.#held);
  }

  end(): WrittenContent {
    this.#rolling.end();
    return {
      digest: digestOf(this.#digest),
      offset: this.#offset,
      endOffset: this.#frames.offset,
      chunks: this.#chunks,
      sum: this.#sum.digest(),
    };
  }

  #cut(end: number, isHole: boolean): void {
    const chunkSize = end - this.#chunkStart;
    const isLast = this.#chunks.length === this.#mostChunks - 1;
    if (chunkSize === 0 || (isLast && end < this.#size)) return;
    const isAll = chunkSize === this.#size;
    while (end - this.#framed > FRAME_BYTES) this.#frame(FRAME_BYTES);
    this.#frame(end - this.#framed, isAll && this.#chunkDigest === undefined);
    this.#chunks.push({
      offset: this.#chunkOffset,
      chunkOffset: this.#chunkStart,
      chunkSize,
      ...(this.#chunkDigest !== undefined && { chunkDigest: digestOf(this.#chunkDigest) }),
      isHole: isHole && !isLast,
    });
    this.#chunkDigest = undefined;
    this.#chunkStart = end;
    this.#chunkOffset = this.#frames.offset;
  }

  /** `isAll`: the frame is the whole content, whose digest is known without another one. */
  #frame(length: number, isAll = false): void {
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    this.#framed += length;
    if (!isAll) (this.#chunkDigest ??= createHash("sha256")).update(bytes);
    this.#frames.frame(bytes);
  }
}
