// zstd:chunked, written (semantics 4.7): a tar in zstd frames that begin with each file's content and with each chunk of it, an index of
// them, and what else is in the tar. A reader that does not know it finds ordinary zstd.

import { createHash } from "node:crypto";
import { ByteSource } from "../byte-source.ts";
import type { Codec, Flow } from "../codec.ts";
import { FRAME_BYTES, writeContent } from "./content-writer.ts";
import { FrameWriter } from "./frames.ts";
import { LayerIndex, type IndexBytes } from "./layer-index.ts";
import { BLOCK } from "./tar-header.ts";
import { isZero, TarReader } from "./tar-reader.ts";

/** Where the tar can be indexed no more, it is zstd like any other, in frames of this size. */
const PLAIN_FRAME_BYTES = 16 * 1024 * 1024;
const PREFIX = "io.github.containers.zstd-chunked.";
const FOOTER_MAGIC = Buffer.from("GNUlInUx");

const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/**
 * Compresses a tar; `level` is zstd's own. Returns the layer's annotations: none if the tar has something that the index has no words for
 * (the same path twice, global headers, sparse files); it is plain zstd then. Throws `layer_invalid` if it is no tar.
 */
export function writeChunked({ read, write }: Flow, level: number): ReturnType<Codec> {
  const source = new ByteSource(read, "tar");
  const frames = new FrameWriter(write, level);
  // Nothing, compressed, is one empty frame.
  if (source.isAtEnd()) frames.frame(new Uint8Array(0));
  const index = source.isAtEnd() ? undefined : indexed(source, frames, level);
  const annotations = index === undefined ? writeRest(source, frames) : writeIndex(index, frames);
  frames.end();
  return annotations;
}

/** Compresses the tar to its end; undefined: it cannot be indexed, and there may be more of it. */
function indexed(source: ByteSource, frames: FrameWriter, level: number): IndexBytes | undefined {
  const tar = new TarReader(source);
  const index = new LayerIndex(level);
  for (;;) {
    const part = tar.next();
    frames.add(part.raw, FRAME_BYTES);
    if (part.type === "other") return undefined;
    index.addSegment(part.raw);
    if (part.type === "end") break;
    if (!index.mayAdd(part.header)) return undefined;
    const { size } = part.header;
    index.addFile(part.header, size > 0 ? writeContent(source, size, frames) : undefined);
  }
  return addTail(source, frames, index) ? index.end(digestOf) : undefined;
}

/** What follows the end marks; false: it is not blocks of zero bytes, and readers would take it for a header. */
function addTail(source: ByteSource, frames: FrameWriter, index: LayerIndex): boolean {
  while (!source.isAtEnd()) {
    const [bytes, isWhole] = upTo(source, FRAME_BYTES);
    frames.add(bytes, FRAME_BYTES);
    if (!isWhole && bytes.length % BLOCK !== 0) return false;
    if (!isZero(bytes) || index.isFull) return false;
    index.addSegment(bytes);
  }
  return true;
}

/** The next bytes, fewer only at the end. */
function upTo(source: ByteSource, most: number): readonly [Buffer, boolean] {
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < most && !source.isAtEnd()) {
    const piece = new Uint8Array(source.some(most - length));
    pieces.push(piece);
    length += piece.length;
  }
  return [Buffer.concat(pieces), length === most];
}

function writeRest(source: ByteSource, frames: FrameWriter): Readonly<Record<string, string>> {
  frames.close();
  while (!source.isAtEnd())
    frames.add(new Uint8Array(source.some(PLAIN_FRAME_BYTES)), PLAIN_FRAME_BYTES);
  frames.close();
  return {};
}

function writeIndex(index: IndexBytes, frames: FrameWriter): Readonly<Record<string, string>> {
  frames.close();
  const { table, tableBytes, split, splitBytes } = index;
  const tableOffset = frames.skippable(table);
  const splitOffset = frames.skippable(split);
  const numbers = [
    [tableOffset, table.length, tableBytes, 1],
    [splitOffset, split.length, splitBytes],
  ] as const;
  const footer = Buffer.alloc(64);
  for (const [at, number] of numbers.flat().entries())
    footer.writeBigUInt64LE(BigInt(number), at * 8);
  FOOTER_MAGIC.copy(footer, 56);
  frames.skippable(footer);
  return {
    [`${PREFIX}manifest-checksum`]: digestOf(table),
    [`${PREFIX}manifest-position`]: numbers[0].join(":"),
    [`${PREFIX}tarsplit-position`]: numbers[1].join(":"),
  };
}
