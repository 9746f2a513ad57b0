import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { ByteSource } from "../../src/compression/byte-source.ts";
import { writeContent } from "../../src/compression/chunked/content-writer.ts";
import { FrameWriter } from "../../src/compression/chunked/frames.ts";
import { writeChunked } from "../../src/compression/chunked/writer.ts";
import { compress } from "../../src/compression/compress.ts";
import { CopyError } from "../../src/errors.ts";
import { collect } from "../support/bytes.ts";
import { readChunked, type ChunkedLayer } from "../support/chunked-reader.ts";
import {
  Lender,
  mixedBytes,
  piped,
  randomBytes,
  sha256,
  tarMember,
  tarOf,
  type TarFile,
} from "../support/compressed.ts";
import { missing } from "../support/peers.ts";

/** Without a thread of its own: there are many cases. */
function chunked(
  tar: Buffer,
  piece = 10_007,
): { layer: Buffer; annotations: Record<string, string> } {
  const out: Buffer[] = [];
  let at = 0;
  const annotations = writeChunked(
    {
      read: () => (at < tar.length ? tar.subarray(at, (at += piece)) : undefined),
      write: (bytes) => void out.push(Buffer.from(bytes)),
    },
    3,
  );
  return { layer: Buffer.concat(out), annotations };
}

/** What a reader gets of it; the layer must be the tar for whoever does not know the format, too. */
function readBack(tar: Buffer): ChunkedLayer {
  const { layer, annotations } = chunked(tar);
  assert.ok(tar.equals(zstdDecompressSync(layer)), "zstd gets the tar back");
  const found = readChunked(layer, annotations);
  assert.ok(tar.equals(found.tar), "tar-split and files make the tar again");
  return found;
}

const holes = Buffer.concat([
  randomBytes(100_000),
  Buffer.alloc(1024),
  randomBytes(200_000, 2),
  Buffer.alloc(1_100_000),
]);
const FILES: readonly TarFile[] = [
  { name: "dir/", type: "5" },
  { name: "dir/empty" },
  { name: "dir/small", content: Buffer.from("hello\n") },
  { name: "dir/big", content: mixedBytes(700_000) },
  { name: "dir/holes", content: holes },
  { name: "dir/zeros", content: Buffer.alloc(1_060_000) },
  { name: "dir/block", content: randomBytes(512) },
  { name: "link", type: "2", linkName: "dir/small" },
  { name: "hard", type: "1", linkName: "dir/small" },
  { name: "pipe", type: "6" },
];

test("a reader finds every file and chunk where the index says, and makes the tar again", () => {
  const tar = tarOf(...FILES);
  const { entries } = readBack(tar);
  const names = entries.filter(({ type }) => type !== "chunk").map(({ name }) => name);
  assert.deepEqual(
    names,
    FILES.map(({ name }) => name),
  );
  const zeros = entries.filter(
    ({ name, chunkType }) => name === "dir/holes" && chunkType === "zeros",
  );
  assert.deepEqual(
    zeros.map(({ name, chunkSize }) => [name, chunkSize]),
    [
      ["dir/holes", 1024],
      ["dir/holes", 1_100_000],
    ],
  );
});

test("a reader that finds other bytes than the index says refuses them", () => {
  const tar = tarOf(...FILES);
  const { layer, annotations } = chunked(tar);
  const { entries } = readChunked(layer, annotations);
  const big = entries.find(({ name }) => name === "dir/big");
  const changed = Buffer.from(layer);
  const at = (big?.offset ?? 0) + 20;
  changed[at] = (changed[at] as number) ^ 1;
  assert.throws(() => readChunked(changed, annotations));
  const [first = ""] = Object.keys(annotations);
  assert.throws(() => readChunked(layer, { ...annotations, [first]: sha256(tar) }), /digest/);
  const position = "io.github.containers.zstd-chunked.tarsplit-position";
  const shifted = (annotations[position] as string).replace(/^\d+/, (n) => String(Number(n) + 1));
  assert.throws(() => readChunked(layer, { ...annotations, [position]: shifted }));
});

test("the same tar gives the same bytes, however it is cut", () => {
  const tar = tarOf(...FILES);
  const { layer } = chunked(tar, tar.length);
  for (const piece of [1023, 65_536, 1_048_576])
    assert.ok(layer.equals(chunked(tar, piece).layer), `in pieces of ${piece}`);
  const few = tarOf({ name: "a", content: holes.subarray(99_000, 104_000) });
  assert.ok(chunked(few, 1).layer.equals(chunked(few, few.length).layer));
});

test("in a thread it is the same", async () => {
  const tar = tarOf(...FILES);
  const { content, annotations } = compress(new Lender(tar), "zstd:chunked", 3);
  const layer = await collect(content);
  assert.ok(layer.equals(chunked(tar).layer));
  assert.deepEqual(annotations(), chunked(tar).annotations);
});

describe("real tars", { skip: missing("tar") }, () => {
  for (const format of ["gnu", "pax", "ustar", "v7"])
    test(`what tar makes in the format ${format} is indexed`, () => {
      const folder = `${import.meta.dirname}/..`;
      const args = ["-c", "-C", folder, `--format=${format}`, "support", "compression"];
      const { entries } = readBack(piped("tar", args, Buffer.alloc(0)));
      const self = entries.find(({ name }) => name === "compression/chunked.test.ts");
      assert.ok((self?.size ?? 0) > 1000);
    });
});

interface Row {
  readonly what: string;
  readonly file: TarFile;
  readonly expected: Readonly<Record<string, unknown>>;
  /** Members before it. */
  readonly before?: readonly TarFile[];
}

const long = "long/".repeat(40);
const ROWS: readonly Row[] = [
  {
    what: "plain",
    file: { name: "a", content: Buffer.from("1234") },
    expected: {
      type: "reg",
      mode: 0o644,
      uid: 1000,
      gid: 1001,
      size: 4,
      modtime: "2023-02-11T02:00:59Z",
    },
  },
  {
    what: "a prefix",
    file: { name: "file", fields: { 345: "some/folder" } },
    expected: { name: "some/folder/file" },
  },
  { what: "a folder of old", file: { name: "old/", type: "\0" }, expected: { type: "dir" } },
  { what: "a file of old", file: { name: "old", type: "\0" }, expected: { type: "reg" } },
  {
    what: "a device",
    file: { name: "null", type: "3", fields: { 329: "0000001\0", 337: "0000003\0" } },
    expected: { type: "char", devMajor: 1, devMinor: 3 },
  },
  {
    what: "a number of base 256",
    file: { name: "a", fields: { 108: Buffer.from("8000000000200000", "hex") } },
    expected: { uid: 2_097_152 },
  },
  {
    what: "a negative number of base 256",
    file: { name: "a", fields: { 136: Buffer.from("ffffffffffffffffffffffff", "hex") } },
    expected: { modtime: "1969-12-31T23:59:59Z" },
  },
  {
    what: "an octal number between spaces",
    file: { name: "a", fields: { 108: "  1750 \0" } },
    expected: { uid: 1000 },
  },
  {
    what: "no number",
    file: { name: "a", fields: { 108: "        " } },
    expected: { uid: undefined },
  },
  {
    what: "extended names",
    file: { name: "x", type: "2", extended: { path: `${long}ü`, linkpath: "to/ü" } },
    expected: { name: `${long}ü`, linkName: "to/ü" },
  },
  {
    what: "an extended name that is empty",
    file: { name: "x", extended: { path: "" } },
    expected: { name: "x" },
  },
  {
    what: "extended owners",
    file: { name: "x", extended: { uid: "3000000", gid: "4000000" } },
    expected: { uid: 3_000_000, gid: 4_000_000 },
  },
  {
    what: "extended times",
    file: { name: "x", extended: { mtime: "1700000000.123456789", atime: "1.5", ctime: "-1.25" } },
    expected: {
      modtime: "2023-11-14T22:13:20.123456789Z",
      accesstime: "1970-01-01T00:00:01.5Z",
      changetime: "1969-12-31T23:59:58.75Z",
    },
  },
  {
    what: "extended attributes",
    file: {
      name: "x",
      extended: { "SCHILY.xattr.user.a": Buffer.from("00ff0a", "hex"), "SCHILY.xattr.user.b": "" },
    },
    expected: { xattrs: { "user.a": "AP8K", "user.b": "" } },
  },
  {
    what: "GNU's long names",
    before: [
      { name: "././@LongLink", type: "L", content: Buffer.from(`${long}name\0`) },
      { name: "././@LongLink", type: "K", content: Buffer.from(`${long}target\0`) },
    ],
    file: { name: "short", type: "2", linkName: "shorter", fields: { 257: "ustar  \0" } },
    expected: { name: `${long}name`, linkName: `${long}target` },
  },
  {
    what: "GNU's times",
    file: { name: "x", fields: { 257: "ustar  \0", 345: "00000000001\0", 357: "00000000002\0" } },
    expected: { accesstime: "1970-01-01T00:00:01Z", changetime: "1970-01-01T00:00:02Z" },
  },
  {
    what: "what JSON must escape",
    file: { name: 'a"\\\n<&>\u2028' },
    expected: { name: 'a"\\\n<&>\u2028' },
  },
];

for (const { what, file, expected, before = [] } of ROWS)
  test(`the index says of ${what} what its header says`, () => {
    const { entries } = readBack(tarOf(...before, file));
    const found = entries[0] as Readonly<Record<string, unknown>>;
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(found[key], value, key);
  });

const a = { name: "a", content: Buffer.from("a") };
const NOT_INDEXED: readonly (readonly [string, Buffer])[] = [
  ["nothing in it at all", Buffer.alloc(0)],
  ["the same path twice", tarOf(a, { name: "b" }, a)],
  ["the same path twice, spelt otherwise", tarOf(a, { name: "./x/../a" })],
  ["a global header", tarOf({ name: "g", type: "g", content: Buffer.from("11 a=bcdef\n") }, a)],
  ["GNU's sparse file", tarOf({ ...a, type: "S", fields: { 257: "ustar  \0" } })],
  [
    "a sparse file",
    tarOf({ ...a, extended: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" } }),
  ],
  ["a type of file that nobody knows", tarOf({ ...a, type: "7" })],
  ["a link with content", tarOf({ name: "l", type: "1", fields: { 124: "00000000010\0" } })],
  ["a name that is no UTF-8", tarOf({ name: Buffer.from([0x61, 0xff]) })],
  [
    "a link name that is no UTF-8",
    tarOf({ name: "l", type: "2", fields: { 157: Buffer.from([0xff]) } }),
  ],
  ["a time after the year 9999", tarOf({ name: "a", extended: { mtime: "253402300800" } })],
  ["an owner beyond 2^53", tarOf({ name: "a", fields: { 108: Buffer.from("c0", "hex") } })],
  ["star's own format", tarOf({ name: "a", fields: { 508: "tar\0" } })],
  [
    "GNU's times where a prefix is",
    tarOf({ name: "a", fields: { 257: "ustar  \0", 345: "folder" } }),
  ],
  ["something after the end", Buffer.concat([tarOf(a), Buffer.from("more")])],
  ["half a block of zeros after the end", Buffer.concat([tarOf(a), Buffer.alloc(100)])],
  ["a last file without its padding", tarMember(a).subarray(0, 513)],
];

for (const [what, tar] of NOT_INDEXED)
  test(`a tar with ${what} becomes zstd without an index`, () => {
    for (const piece of [1, 600, 10_000]) {
      const { layer, annotations } = chunked(tar, piece);
      assert.deepEqual(annotations, {});
      assert.ok(tar.equals(zstdDecompressSync(layer)));
    }
  });

const ENDS: readonly (readonly [string, Buffer])[] = [
  ["no end marks", tarMember(a)],
  ["one block of zeros", Buffer.concat([tarMember(a), Buffer.alloc(512)])],
  [
    "many blocks of zeros",
    Buffer.concat([tarMember(a), Buffer.alloc(3_000_320 - (3_000_320 % 512))]),
  ],
  ["end marks only", Buffer.alloc(1024)],
];

for (const [what, tar] of ENDS)
  test(`a tar that ends with ${what} is indexed`, () => {
    assert.equal(readBack(tar).entries.length, tar[0] === 0 ? 0 : 1);
  });

const INVALID: readonly (readonly [string, Buffer, RegExp])[] = [
  ["is no tar", randomBytes(2000), /checksum/],
  ["is shorter than a header", Buffer.from("hello"), /cut short/],
  ["ends within a header", tarMember(a).subarray(0, 300), /cut short/],
  [
    "ends within a file",
    tarMember({ name: "b", content: randomBytes(5000) }).subarray(0, 3000),
    /cut short/,
  ],
  [
    "has a block after one of zeros",
    Buffer.concat([Buffer.alloc(512), tarMember(a)]),
    /follows its end/,
  ],
  ["has a size that is no number", tarOf({ name: "a", fields: { 124: "xyz" } }), /number/],
  ["has a negative size", tarOf({ name: "a", fields: { 124: Buffer.alloc(12, 0xff) } }), /size/],
  [
    "has an extended header that is none",
    tarOf({ name: "p", type: "x", content: Buffer.from("99 a=b\n") }, a),
    /extended header/,
  ],
  [
    "has an extended time that is none",
    tarOf({ name: "a", extended: { mtime: "yesterday" } }),
    /number/,
  ],
  [
    "has an extended header of 2 MiB",
    tarOf({ name: "p", type: "x", content: Buffer.alloc(2 ** 21) }, a),
    /too long/,
  ],
];

for (const [what, tar, expected] of INVALID)
  test(`a layer that ${what} cannot become zstd:chunked`, () => {
    for (const piece of [1, 512, 10_000])
      assert.throws(
        () => chunked(tar, piece),
        (error) =>
          error instanceof CopyError &&
          error.code === "layer_invalid" &&
          expected.test(error.message),
      );
  });

test("an invalid tar fails the pouring", async () => {
  const { content } = compress(new Lender(randomBytes(100_000)), "zstd:chunked", undefined);
  await assert.rejects(
    collect(content),
    (error) => error instanceof CopyError && error.code === "layer_invalid",
  );
});

test("content that is made to be cut every three bytes gets no more chunks than it may have", () => {
  const content = Buffer.alloc(30_000, Buffer.of(1, 69, 126));
  const out: Buffer[] = [];
  const write = (most?: number): readonly number[] => {
    let rest: Buffer | undefined = content;
    const source = new ByteSource(() => [rest, (rest = undefined)][0], "content");
    const frames = new FrameWriter((bytes) => void out.push(Buffer.from(bytes)), 3);
    const { chunks, endOffset } = writeContent(source, content.length, frames, most);
    frames.end();
    assert.equal(endOffset, Buffer.concat(out).length);
    assert.ok(content.equals(zstdDecompressSync(Buffer.concat(out.splice(0)))));
    return chunks.map(({ chunkSize }) => chunkSize);
  };
  assert.ok(write().length > 9000);
  const few = write(100);
  assert.equal(few.length, 100);
  assert.equal(
    few.reduce((sum, size) => sum + size),
    content.length,
  );
});
