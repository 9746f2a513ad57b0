// In how many requests a blob goes to a registry: in one where it may, since that is the fewest and the only way that every registry takes.

const MIB = 1024 * 1024;

/** What a registry needs of uploads. */
export interface UploadNeeds {
  /** A request must not bring more bytes of a blob. */
  readonly pieceBytes?: number;
  /** But only of blobs that are larger than this. */
  readonly above?: number;
}

/** How many bytes each request brings; undefined: all of them. `least`: the registry's `OCI-Chunk-Min-Length`. `size` is not always known. */
export function pieceOf(
  size: number | undefined,
  { pieceBytes, above = 0 }: UploadNeeds,
  least = 0,
): number | undefined {
  if (pieceBytes === undefined || (size !== undefined && size <= above)) return undefined;
  const piece = Math.max(pieceBytes, least);
  return size !== undefined && size <= piece ? undefined : piece;
}

/** What proxies and registries let through, the most usual limits first: Cloudflare's 100 MB, GitHub's 4 MiB, nginx' own 1 MiB. */
const PIECES = [32 * MIB, 4 * MIB, MIB] as const;

/**
 * The needs of a registry that has refused a request of `bytes`: 413 may mean any limit, 416 is what GitHub's registry answers to more
 * than 4 MiB. Undefined: it will not do with less either.
 */
export function smaller(bytes: number, status: number): UploadNeeds | undefined {
  const pieceBytes = PIECES.find((piece) => piece < bytes && (status !== 416 || piece <= 4 * MIB));
  return pieceBytes === undefined ? undefined : { pieceBytes };
}
