/** How a blob's bytes are compressed, in containers/image's names (it spells `xz` as `Xz`). `zstd:chunked` is zstd with an index of its files. */
export type Compression = "gzip" | "bzip2" | "xz" | "zstd" | "zstd:chunked";

/** The algorithm under a variant: every zstd reader reads zstd:chunked. */
export const baseOf = (compression: Compression): Exclude<Compression, "zstd:chunked"> =>
  compression === "zstd:chunked" ? "zstd" : compression;
