// What a compression level means here (decision 12 has the figures): at each level the result is about as small as containers/image's.

/** Levels that may be asked for, from the fastest to the smallest, and the one that is meant if none is. */
export const LEVELS = {
  /** libdeflate's own levels. 2 is the fastest that is not more than 1 % bigger than containers/image's default. */
  gzip: { min: 1, max: 9, default: 2 },
  zstd: { min: 1, max: 22, default: 3 },
  "zstd:chunked": { min: 1, max: 22, default: 3 },
} as const;

/** Of zstd's own levels, the four that stand for the four speeds that containers/image knows. */
const ZSTD: readonly { readonly upTo: number; readonly level: number }[] = [
  { upTo: 2, level: 2 },
  { upTo: 5, level: 3 },
  { upTo: 9, level: 7 },
  { upTo: 22, level: 12 },
];

/** zstd's own level for one that was asked for. */
export const zstdLevelOf = (level: number = LEVELS.zstd.default): number =>
  ZSTD.find(({ upTo }) => level <= upTo)?.level ?? 12;

/** libdeflate's level for one that was asked for. */
export const gzipLevelOf = (level: number = LEVELS.gzip.default): number =>
  Math.min(Math.max(level, LEVELS.gzip.min), LEVELS.gzip.max);
