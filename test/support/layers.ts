// Layers for tests: small real tars, packed in every way that layers are found to be packed.

import { execFileSync } from "node:child_process";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { seededBytes } from "./images.ts";
import { packTar } from "./tar.ts";

/** How a layer's tar is compressed. */
export type Packing = "none" | "gzip" | "zstd" | "zstd:chunked" | "bzip2" | "xz";

export interface TestLayer {
  readonly bytes: Buffer;
  readonly diffId: Digest;
  /** What a manifest says of the layer besides type, digest and size. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A folder, a file of about 3 kB, and both kinds of link. Another seed, other bytes. */
export function makeLayerTar(seed: string): Buffer {
  const name = digestOf(Buffer.from(seed)).slice(7, 19);
  const content = Buffer.from(seededBytes(seed, 2200).toString("base64"));
  return packTar([
    { name: `srv-${name}/`, type: "folder" },
    { name: `srv-${name}/data.txt`, content, mtime: 1_700_000_000 },
    { name: `srv-${name}/again.txt`, type: "link", target: `srv-${name}/data.txt` },
    { name: `srv-${name}/link`, type: "symlink", target: "data.txt", mode: 0o777 },
  ]);
}

export function makePackedLayer(seed: string, packing: Packing): TestLayer {
  const tar = makeLayerTar(seed);
  const diffId = digestOf(tar);
  if (packing === "zstd:chunked") return { diffId, ...packChunked(tar, seed) };
  return { diffId, bytes: pack(tar, packing) };
}

export function pack(bytes: Buffer, packing: Exclude<Packing, "zstd:chunked">): Buffer {
  switch (packing) {
    case "none":
      return bytes;
    case "gzip":
      return gzipSync(bytes);
    case "zstd":
      return zstdCompressSync(bytes);
    case "bzip2":
    case "xz":
      return execFileSync(packing, ["-c"], { input: bytes });
  }
}

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** What is in bytes that are packed with gzip or zstd, and with which; undefined: they are not. */
export function unpack(
  bytes: Buffer,
): { readonly bytes: Buffer; readonly packing: "gzip" | "zstd" } | undefined {
  if (bytes.subarray(0, 2).equals(GZIP)) return { bytes: gunzipSync(bytes), packing: "gzip" };
  if (bytes.subarray(0, 4).equals(ZSTD))
    return { bytes: zstdDecompressSync(bytes), packing: "zstd" };
  return undefined;
}

/**
 * A layer that bears the marks of zstd:chunked: skippable frames with a table of contents and a footer, and the annotations. It is for
 * programs that copy it; the table is too short for one that would read single files.
 */
function packChunked(tar: Buffer, seed: string): Omit<TestLayer, "diffId"> {
  const data = zstdCompressSync(tar);
  const table = Buffer.from(JSON.stringify({ version: 1, entries: [{ type: "dir", name: seed }] }));
  const packed = zstdCompressSync(table);
  const split = zstdCompressSync(Buffer.from("{}"));
  const tableAt = data.length + 8;
  const splitAt = tableAt + packed.length + 8;
  const footer = Buffer.alloc(64);
  [tableAt, packed.length, table.length, 1, splitAt, split.length, 2].forEach((value, i) =>
    footer.writeBigUInt64LE(BigInt(value), i * 8),
  );
  footer.write("GNUlInUx", 56);
  return {
    bytes: Buffer.concat([data, skippable(packed), skippable(split), skippable(footer)]),
    annotations: {
      "io.github.containers.zstd-chunked.manifest-checksum": digestOf(packed),
      "io.github.containers.zstd-chunked.manifest-position": `${tableAt}:${packed.length}:${table.length}:1`,
      "io.github.containers.zstd-chunked.tarsplit-position": `${splitAt}:${split.length}:2`,
    },
  };
}

function skippable(data: Buffer): Buffer {
  const head = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data]);
}
