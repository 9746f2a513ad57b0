// What a compression level means here (decision 15 has the figures): at each level the result is about as small as containers/image's.

/** Levels that may be asked for, from the fastest to the smallest, and the one that is meant if none is. */
export const LEVELS = {
  /** libdeflate's own levels. 2 is the fastest that is not more than 1 % bigger than containers/image's default. */
  gzip: { min: 1, max: 9, default: 2 },
  zstd: { min: 1, max: 22, default: 3 },
  /** containers/image's is its highest; of its small frames, this level makes as little in less than half the time. */
  "zstd:chunked": { min: 1, max: 22, default: 9 },
} as const;

/** Of zstd's own levels, the four that stand for the four speeds that containers/image knows. */
const ZSTD: readonly { readonly upTo: number; readonly level: number }[] = [
  { upTo: 2, level: 2 },
  { upTo: 5, level: 3 },
  { upTo: 9, level: 7 },
  { upTo: 22, level: 12 },
];

/** The library's own level for one that was asked for, or for none. */
export function ownLevelOf(to: keyof typeof LEVELS, level: number | undefined): number {
  const { min, max, default: otherwise } = LEVELS[to];
  const wanted = Math.min(Math.max(level ?? otherwise, min), max);
  if (to === "gzip") return wanted;
  return ZSTD.find(({ upTo }) => wanted <= upTo)?.level ?? max;
}
