// What is known of blobs (semantics 4.4.1). Only what our own verification has shown goes in: a wrong pair would let a stranger
// substitute layers.

import type { Descriptor } from "../image/blob-info.ts";
import type { Compression } from "../image/compression.ts";
import type { Digest } from "../image/digest.ts";

/** A repository of a registry: where blobs can be mounted from. */
export interface Location {
  readonly registry: string;
  readonly repository: string;
}

/** "none": not compressed. */
export type KnownCompression = Compression | "none";

/** What was learnt of a blob whose bytes passed our verification, or that was seen in a registry. */
export interface BlobFacts {
  readonly digest: Digest;
  readonly size: number;
  /** The digest of its content uncompressed; its own where it is not compressed. */
  readonly uncompressed?: Digest;
  readonly compression?: KnownCompression;
  /** What the compression says of itself (zstd:chunked). */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where it is. */
  readonly at?: Location;
}

/** A blob with the wanted content that may be at the destination, or be mounted there. Its media type is not known: "". */
export interface Candidate extends Descriptor {
  readonly compression: KnownCompression | undefined;
  /** Absent: not known where; it may be in the destination itself. */
  readonly from?: Location;
}

/** Nothing here fails a copy: where the cache cannot be asked, nothing is known. */
export interface BlobInfoCache {
  /** The digest of the blob's content uncompressed. */
  uncompressedOf(digest: Digest): Promise<Digest | undefined>;
  /**
   * Where the blob, or with `substitutes` another compression of the same content, was seen: the blob itself first, the uncompressed
   * one last, others by when they were seen last. At most 5, at most 2 of unknown place. `registry`: only its repositories are told.
   */
  candidates(
    digest: Digest,
    given: { readonly registry: string | undefined; readonly substitutes: boolean },
  ): Promise<readonly Candidate[]>;
  /** Whoever asks here afterwards hears of it; others may a moment later (learnt.ts). */
  record(facts: BlobFacts): Promise<void>;
}
