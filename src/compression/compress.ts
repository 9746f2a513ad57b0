// Compressing: gzip, zstd, and zstd with an index of its files (semantics 4.5, 4.7).

import type { Bytes } from "../bytes.ts";
import { BlockConverter, type BlockRecipe } from "./block-converter.ts";
import { CodecConverter } from "./codec-converter.ts";
import { converted } from "./converter.ts";
import { ownLevelOf } from "./levels.ts";

/** What can be written. */
export type Compressor = "gzip" | "zstd" | "zstd:chunked";

export interface Compressed {
  readonly content: Bytes;
  /** What the layer's annotations have to say of it; to be asked when the content was poured. */
  readonly annotations: () => Readonly<Record<string, string>>;
}

/**
 * Bytes of a gzip member or a zstd frame. Members are found to be as small as they get; frames of 16 MiB lose nothing to one that has all
 * (decision 15).
 */
const BLOCK_BYTES = { gzip: 1024 * 1024, zstd: 16 * 1024 * 1024 } as const;

/**
 * The bytes compressed: the same bytes and level give the same result. `level` is one of `LEVELS`, or undefined for its default. Fails
 * with `layer_invalid` only for zstd:chunked, which needs a tar.
 */
export function compress(content: Bytes, to: Compressor, level: number | undefined): Compressed {
  if (to === "zstd:chunked") return compressChunked(content, level);
  const recipe: BlockRecipe = {
    algorithm: to,
    level: ownLevelOf(to, level),
    blockBytes: BLOCK_BYTES[to],
  };
  return {
    content: converted(content, (outlet, signal) => new BlockConverter(recipe, outlet, signal)),
    annotations: () => ({}),
  };
}

function compressChunked(content: Bytes, level: number | undefined): Compressed {
  let annotations: Readonly<Record<string, string>> | undefined;
  const codec = { name: "zstd:chunked", level: ownLevelOf("zstd:chunked", level) } as const;
  return {
    content: converted(
      content,
      (outlet, signal) =>
        new CodecConverter(codec, outlet, signal, (said) => void (annotations = said)),
    ),
    annotations: () => {
      if (annotations === undefined) throw new Error("annotations are known at the end only");
      return annotations;
    },
  };
}
