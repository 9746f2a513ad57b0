// In how many requests a blob goes to a registry: in one where it may, since that is the fewest and the only way that every registry takes.

const MIB = 1024 * 1024;

/** What a registry needs of uploads. */
export interface UploadNeeds {
  /** A request must not bring more bytes of a blob. */
  readonly pieceBytes?: number;
  /** But only of blobs that are larger than this. */
  readonly above?: number;
  /** The last request must not bring any: they go before, by PATCH. */
  readonly closesEmpty?: boolean;
  /** What broke off is not taken up again: it takes no chunks, or loses those before. */
  readonly beginsAnew?: boolean;
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

/** As pieceOf, of a blob that is held piece by piece, since nobody knows how long it is: pieces of more are not worth the memory. */
export function heldPieceOf(
  size: number | undefined,
  needs: UploadNeeds,
  least?: number,
): number | undefined {
  const piece = pieceOf(size, needs, least);
  return piece === undefined || piece > HELD_LIMIT ? undefined : piece;
}

const HELD_LIMIT = 32 * MIB;

/** What proxies and registries let through, the most usual limits first: Cloudflare's 100 MB, GitHub's 4 MiB, nginx' own 1 MiB. */
const PIECES = [32 * MIB, 4 * MIB, MIB] as const;

/** A request that a registry has refused. */
export interface RefusedRequest {
  readonly status: number;
  readonly code?: string | undefined;
  /** That it was to bring. */
  readonly bytes: number;
  /** It was to bring all of a blob, and to end the upload. */
  readonly isWhole: boolean;
  /** It was to bring less than all that was left. */
  readonly isPiece: boolean;
}

/**
 * What a registry needs that has refused a request: 413 may mean any limit; 416 is what GitHub's registry answers to more than 4 MiB, but
 * to a piece that the piece is out of place; 404 for a blob that is on its way in is Artifactory's word for a PUT that brings bytes (moby/buildkit#1130).
 * Undefined: there is nothing else to try.
 */
export function needsAfter(refused: RefusedRequest, needs: UploadNeeds): UploadNeeds | undefined {
  const { status, code, bytes, isWhole, isPiece } = refused;
  if (isWhole && code === "BLOB_UNKNOWN") return { ...needs, closesEmpty: true };
  if (status !== 413 && (status !== 416 || isPiece)) return undefined;
  const pieceBytes = PIECES.find((piece) => piece < bytes && (status !== 416 || piece <= 4 * MIB));
  return pieceBytes === undefined ? undefined : { ...needs, pieceBytes, above: 0 };
}
