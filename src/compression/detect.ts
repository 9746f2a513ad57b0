import type { Compression } from "../image/compression.ts";

/** An algorithm's own bytes: zstd:chunked has none, it is told by annotations (semantics 4.5). */
export type Detected = Exclude<Compression, "zstd:chunked">;

const MAGIC: readonly (readonly [Detected, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** How content is compressed, by its first bytes: eight are enough, fewer may be all there is. Undefined: not compressed. */
export const detectCompression = (head: Uint8Array): Detected | undefined =>
  MAGIC.find(([, magic]) => magic.every((byte, at) => head[at] === byte))?.[0];
