// A reader of zstd:chunked that shares no code with the writer: it fetches what the index says, and checks all that can be checked.

import { zstdDecompressSync } from "node:zlib";
import { sha256 } from "./compressed.ts";

const PREFIX = "io.github.containers.zstd-chunked.";

export interface Entry {
  readonly type: string;
  readonly name: string;
  readonly size?: number;
  readonly digest?: string;
  readonly offset?: number;
  readonly endOffset?: number;
  readonly chunkSize?: number;
  readonly chunkOffset?: number;
  readonly chunkDigest?: string;
  readonly chunkType?: string;
  readonly [other: string]: unknown;
}

interface SplitEntry {
  readonly type: number;
  readonly name?: string;
  readonly size?: number;
  readonly payload: string | null;
  readonly position: number;
}

export interface ChunkedLayer {
  readonly entries: readonly Entry[];
  /** The tar, put together from tar-split's segments and the files that the index leads to. */
  readonly tar: Buffer;
}

/** Throws where the layer, its index and its annotations do not fit. */
export function readChunked(
  layer: Buffer,
  annotations: Readonly<Record<string, string>>,
): ChunkedLayer {
  const numbers = (key: string): number[] =>
    (annotations[`${PREFIX}${key}`] as string).split(":").map(Number);
  const [at = 0, length = 0, uncompressed, type] = numbers("manifest-position");
  const table = layer.subarray(at, at + length);
  equal(sha256(table), annotations[`${PREFIX}manifest-checksum`], "the table's digest");
  equal(type, 1, "the table's type");
  checkFooter(layer, [...numbers("manifest-position"), ...numbers("tarsplit-position")]);
  const json = zstdDecompressSync(table);
  equal(json.length, uncompressed, "the table's size");
  const { version, entries, tarSplitDigest } = JSON.parse(json.toString()) as {
    version: number;
    entries: Entry[];
    tarSplitDigest: string;
  };
  equal(version, 1, "the table's version");
  const [splitAt = 0, splitLength = 0, splitUncompressed] = numbers("tarsplit-position");
  const split = layer.subarray(splitAt, splitAt + splitLength);
  equal(sha256(split), tarSplitDigest, "tar-split's digest");
  const lines = zstdDecompressSync(split);
  equal(lines.length, splitUncompressed, "tar-split's size");
  const contents = contentsOf(layer, entries);
  return { entries, tar: assemble(lines.toString().trimEnd().split("\n"), contents) };
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`);
}

function checkFooter(layer: Buffer, expected: readonly number[]): void {
  const footer = layer.subarray(-64);
  equal(footer.toString("latin1", 56), "GNUlInUx", "the footer's end");
  for (const [i, number] of expected.entries())
    equal(footer.readBigUInt64LE(i * 8), BigInt(number), `the footer's number ${i}`);
}

/** Each file's content by its name, fetched chunk by chunk. */
function contentsOf(layer: Buffer, entries: readonly Entry[]): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (const [i, entry] of entries.entries()) {
    if (entry.type !== "reg" || entry.size === undefined) continue;
    const { name, offset = 0, endOffset = 0, digest, size } = entry;
    const content = zstdDecompressSync(layer.subarray(offset, endOffset));
    equal(content.length, size, `${name}'s size`);
    equal(sha256(content), digest, `${name}'s digest`);
    contents.set(name, content);
    const chunks = [entry];
    for (let next = i + 1; entries[next]?.type === "chunk"; next++)
      chunks.push(entries[next] as Entry);
    if (chunks.length > 1) checkChunks(layer, chunks, content, endOffset);
  }
  return contents;
}

function checkChunks(layer: Buffer, chunks: readonly Entry[], content: Buffer, end: number): void {
  let expected = 0;
  for (const [i, chunk] of chunks.entries()) {
    const { name, offset = 0, chunkOffset = 0, chunkSize = 0, chunkDigest, chunkType } = chunk;
    equal(chunkOffset, expected, `${name}'s chunk ${i} begins`);
    const bytes = zstdDecompressSync(layer.subarray(offset, chunks[i + 1]?.offset ?? end));
    equal(bytes.length, chunkSize, `${name}'s chunk ${i}: size`);
    equal(sha256(bytes), chunkDigest, `${name}'s chunk ${i}: digest`);
    if (!bytes.equals(content.subarray(chunkOffset, chunkOffset + chunkSize)))
      throw new Error(`${name}'s chunk ${i} is not part of it`);
    if (chunkType === "zeros" && bytes.some((byte) => byte !== 0))
      throw new Error(`${name}'s chunk ${i} is not zero`);
    expected += chunkSize;
  }
  equal(expected, content.length, "the chunks together");
}

/** What tar-split's `WriteOutputTarStream` does. */
function assemble(lines: readonly string[], contents: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  for (const [i, line] of lines.entries()) {
    const { type, name = "", size = 0, payload, position } = JSON.parse(line) as SplitEntry;
    equal(position, i, "an entry's position");
    if (type === 2) parts.push(Buffer.from(payload ?? "", "base64"));
    else if (size > 0) {
      const content = contents.get(name);
      if (content === undefined) throw new Error(`${name} is not in the table`);
      equal(payload, crc64(content).toString("base64"), `${name}'s checksum`);
      parts.push(content);
    }
  }
  return Buffer.concat(parts);
}

/** Of ISO 3309, bit by bit. */
function crc64(bytes: Buffer): Buffer {
  let crc = 0xffffffffffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xd800000000000000n : crc >> 1n;
  }
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(crc ^ 0xffffffffffffffffn);
  return out;
}
