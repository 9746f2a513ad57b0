// xz, decompressed: "The .xz File Format" 1.2.1. Filters other than LZMA2 are refused, as Go's library does; layers have none.

import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { ByteSource } from "../byte-source.ts";
import type { Codec } from "../codec.ts";
import { layerInvalid } from "../layer-invalid.ts";
import { checkFor, littleEndian } from "./checks.ts";
import { Lzma2 } from "./lzma2.ts";

const MAGIC = Buffer.from("fd377a585a00", "hex");
const FOOTER = Buffer.from("YZ");
const LZMA2 = 0x21;
/** A stream must not need more than 128 MiB of what came before, as with zstd. */
const MOST_DICTIONARY = 128 * 1024 * 1024;

type Write = (bytes: Uint8Array) => void;

const damaged = (what: string): Error => layerInvalid(`the layer's xz data is damaged (${what})`);

function check(holds: boolean, what: string): void {
  if (!holds) throw damaged(what);
}

/** Decompresses one stream after the other, to the end; between and after them there may be zero bytes, in fours. */
export const unxz: Codec = ({ read, write }) => {
  const source = new ByteSource(read, "xz data");
  let start = source.take(4);
  for (;;) {
    stream(source, start, write);
    do {
      if (source.isAtEnd()) return {};
      start = source.take(4);
    } while (start.every((byte) => byte === 0));
  }
};

/** One stream, whose first four bytes are `start`. */
function stream(source: ByteSource, start: Uint8Array, write: Write): void {
  const header = Buffer.concat([start, source.take(8)]);
  check(header.subarray(0, 6).equals(MAGIC), "something else follows a stream");
  const flags = header.subarray(6, 8);
  check(header.readUInt32LE(8) === crc32(flags), "a header's checksum is wrong");
  check(flags[0] === 0, "unknown flags");
  const records = new Records();
  for (;;) {
    const size = source.takeByte();
    if (size === 0) break;
    records.add(...block(source, size, flags[1] as number, write));
  }
  const indexBytes = index(source, records);
  const footer = Buffer.from(source.take(12));
  check(footer.subarray(10).equals(FOOTER), "a stream's end is missing");
  check(footer.readUInt32LE(0) === crc32(footer.subarray(4, 10)), "a footer's checksum is wrong");
  check((footer.readUInt32LE(4) + 1) * 4 === indexBytes, "a footer does not fit its index");
  check(footer.subarray(8, 10).equals(flags), "a footer does not fit its header");
}

/** One block; returns its size without padding, and uncompressed. */
function block(
  source: ByteSource,
  headerSize: number,
  checkType: number,
  write: Write,
): readonly [number, number] {
  const start = source.taken - 1;
  const header = Buffer.concat([Buffer.of(headerSize), source.take(headerSize * 4 + 3)]);
  const { compressed, uncompressed, dictionary } = parseBlockHeader(header);
  const content = checkFor(checkType);
  if (content === undefined)
    throw layerInvalid(`the layer's xz data has a check of unknown type ${checkType}`);
  const dataStart = source.taken;
  const size = new Lzma2(source, dictionary, (bytes) => {
    content.update(bytes);
    write(bytes);
  }).run();
  const dataSize = source.taken - dataStart;
  check(compressed === undefined || compressed === dataSize, "a block has another size");
  check(uncompressed === undefined || uncompressed === size, "a block has another size");
  padding(source, dataSize);
  const expected = content.digest();
  check(Buffer.from(source.take(expected.length)).equals(expected), "a checksum is wrong");
  return [dataStart - start + dataSize + expected.length, size];
}

interface BlockHeader {
  /** Bytes, where the header tells. */
  readonly compressed: number | undefined;
  readonly uncompressed: number | undefined;
  /** Bytes. */
  readonly dictionary: number;
}

function parseBlockHeader(header: Buffer): BlockHeader {
  const end = header.length - 4;
  check(header.readUInt32LE(end) === crc32(header.subarray(0, end)), "a block header's checksum");
  const flags = header.readUInt8(1);
  check((flags & 0x3c) === 0, "unknown flags");
  const fields = header.subarray(2, end);
  let at = 0;
  const next = (): number => fields[at++] ?? 0;
  const compressed = (flags & 0x40) === 0 ? undefined : integer(next);
  const uncompressed = (flags & 0x80) === 0 ? undefined : integer(next);
  if ((flags & 3) !== 0 || integer(next) !== LZMA2 || integer(next) !== 1)
    throw layerInvalid("the layer's xz data has other filters than LZMA2");
  const dictionary = dictionaryBytes(next());
  check(at <= fields.length && fields.subarray(at).every((byte) => byte === 0), "a block header");
  return { compressed, uncompressed, dictionary };
}

function dictionaryBytes(bits: number): number {
  check(bits <= 40, "no such dictionary");
  const bytes = bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (bytes > MOST_DICTIONARY)
    throw layerInvalid("the layer's xz data needs a dictionary of more than 128 MiB");
  return bytes;
}

/** An integer of seven bits a byte, the lowest first. */
function integer(next: () => number): number {
  let value = 0;
  for (let place = 0; place < 9; place++) {
    const byte = next();
    value += (byte & 0x7f) * 2 ** (7 * place);
    if ((byte & 0x80) !== 0) continue;
    check(byte !== 0 || place === 0, "an integer is too long");
    check(Number.isSafeInteger(value), "an integer is too big");
    return value;
  }
  throw damaged("an integer is too long");
}

/** Zero bytes up to the next multiple of four. */
function padding(source: ByteSource, size: number): Uint8Array {
  const bytes = source.take(-size & 3);
  check(
    bytes.every((byte) => byte === 0),
    "padding is not zero",
  );
  return bytes;
}

/** The index, whose first byte is taken; returns its size in bytes. */
function index(source: ByteSource, expected: Records): number {
  const start = source.taken - 1;
  let crc = crc32(Buffer.of(0));
  const next = (): number => {
    const byte = source.takeByte();
    crc = crc32(Buffer.of(byte), crc);
    return byte;
  };
  const found = new Records();
  const count = integer(next);
  check(count === expected.count, "an index does not fit its blocks");
  for (let i = 0; i < count; i++) found.add(integer(next), integer(next));
  check(found.digest() === expected.digest(), "an index does not fit its blocks");
  crc = crc32(padding(source, source.taken - start), crc);
  check(Buffer.from(source.take(4)).equals(littleEndian(crc)), "an index's checksum is wrong");
  return source.taken - start;
}

/** What a stream's blocks were, without holding them all. */
class Records {
  readonly #hash: Hash = createHash("sha256");
  count = 0;

  add(size: number, uncompressed: number): void {
    this.count++;
    this.#hash.update(`${size}:${uncompressed},`);
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}
