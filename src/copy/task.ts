// A blob as an order to the engine, and what came of it.

import type { NamedBlob } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import type { LayerUpdate } from "../image/manifest/updates.ts";
import type { KnownCompression } from "./blob-info-cache.ts";
import type { LayerWish } from "./layers.ts";
import type { Artifact } from "./progress.ts";

/** What is to be done with a blob. */
export interface BlobTask {
  readonly blob: NamedBlob;
  readonly artifact: Artifact;
  /** What the manifest says of its compression. */
  readonly says: KnownCompression | undefined;
  readonly wish: LayerWish;
  /** Its bytes may become others: the manifest may change, and can name them. */
  readonly mayConvert: boolean;
  /** The digest of its content uncompressed must be known, for a config that is made of it. */
  readonly needsDiffId: boolean;
}

/** What the destination has in its place. */
export interface BlobOutcome {
  readonly update: LayerUpdate;
  /** There where it was asked for. */
  readonly diffId?: Digest;
}

/** A blob's annotations, less those that tell of its compressed bytes and are wrong of any others (zstd:chunked, eStargz). */
export function annotationsOf({ annotations = {} }: NamedBlob): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(annotations).filter(
      ([name]) =>
        !name.startsWith("io.github.containers.zstd-chunked.") &&
        !name.startsWith("containerd.io/snapshot/stargz/"),
    ),
  );
}
