// Which of the blobs that are known of may stand for the one that is wanted, and in which order to try them (semantics 4.4.1).

import type { Candidate } from "../copy/blob-info-cache.ts";
import type { Digest } from "../image/digest.ts";
import type { KnownBlob } from "./known-blobs.ts";

export interface Asked {
  readonly registry: string | undefined;
  readonly substitutes: boolean;
}

const MOST = 5;
/** Each of these is looked for in the destination in vain, if it is not there. */
const MOST_UNPLACED = 2;

/**
 * Those whose place is known come first. In each half: the blob itself, then others by when they were seen last (ties by digest), and
 * the uncompressed one last: it is the largest. A substitute must be known to have the same content, and how it is compressed. The
 * blob itself without a place is no candidate: whoever asks has looked for it in the destination.
 */
export function prioritize(
  digest: Digest,
  { registry, substitutes }: Asked,
  known: readonly KnownBlob[],
): readonly Candidate[] {
  const content = known.find((blob) => blob.digest === digest)?.uncompressed;
  const stands = (blob: KnownBlob) =>
    blob.digest === digest ||
    (substitutes &&
      content !== undefined &&
      blob.uncompressed === content &&
      blob.compression !== undefined);
  const rank = (blob: KnownBlob) => (blob.digest === digest ? 0 : blob.digest === content ? 2 : 1);
  const ordered = (some: readonly Seen[]) =>
    some
      .toSorted(
        (a, b) =>
          rank(a.blob) - rank(b.blob) ||
          b.seen - a.seen ||
          (a.blob.digest < b.blob.digest ? -1 : 1),
      )
      .map(({ candidate }) => candidate);

  const all = known.filter(stands).flatMap((blob) => sightingsOf(blob, registry));
  const placed = all.filter(({ candidate }) => candidate.from !== undefined);
  const unplaced = all.filter(
    ({ blob, candidate }) => candidate.from === undefined && blob.digest !== digest,
  );
  return [...ordered(placed), ...ordered(unplaced).slice(0, MOST_UNPLACED)].slice(0, MOST);
}

interface Seen {
  readonly blob: KnownBlob;
  readonly seen: number;
  readonly candidate: Candidate;
}

/** One for each place of the blob in the registry; one without a place if there is none. */
function sightingsOf(blob: KnownBlob, registry: string | undefined): readonly Seen[] {
  const { digest, size, compression, annotations, places } = blob;
  const candidate: Candidate = {
    mediaType: "",
    digest,
    size,
    compression,
    ...(annotations !== undefined && { annotations }),
  };
  if (registry === undefined || places.length === 0) return [{ blob, seen: blob.seen, candidate }];
  return places.map(({ repository, seen }) => ({
    blob,
    seen,
    candidate: { ...candidate, from: { registry, repository } },
  }));
}
