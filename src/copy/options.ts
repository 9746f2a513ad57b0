// What is wanted of a copy.

import type { Compression } from "../image/compression.ts";
import type { Digest } from "../image/digest.ts";
import type { Platform } from "../image/platform.ts";

/** What layers can be compressed into. */
export type CompressionFormat = Extract<Compression, "gzip" | "zstd" | "zstd:chunked">;

/** A compression that each platform of a list is to have an image in. */
export interface CompressionVariant {
  readonly algorithm: CompressionFormat;
  /** As the algorithm counts; absent: its usual one. */
  readonly level?: number;
}

/** The contract's `options`, as far as they steer the engine, with its defaults applied. */
export interface CopyOptions {
  readonly imageListSelection: "system" | "all" | "specific";
  readonly instances: readonly Digest[];
  readonly platforms: readonly Platform[];
  /** With `specific`: whether the list still names the images that are not copied. */
  readonly sparseManifestListAction: "keep" | "strip";
  /** With `system`: of images for one platform in an OCI index, gzip before zstd. */
  readonly preferGzipInstances: boolean;
  readonly preserveDigests: boolean;
  readonly removeSignatures: boolean;
  /** The list's own signatures only. */
  readonly removeListSignatures: boolean;
  /** The manifest type to write, whatever the destination prefers. */
  readonly forceManifestMimeType?: string;
  /** Blobs of this copy at once. */
  readonly maxParallelDownloads: number;
  readonly optimizeDestinationImageAlreadyExists: boolean;
  readonly downloadForeignLayers: boolean;
  /** Blobs that exist at the destination in another compression than the one asked for are not reused. */
  readonly forceCompressionFormat: boolean;
  readonly ensureCompressionVariantsExist: readonly CompressionVariant[];
  /** RFC 3339; of all files in an `oci-archive:`. */
  readonly destinationTimestamp?: string;
  /** More names for an image in a `docker-archive:`. */
  readonly additionalTags: readonly string[];
  readonly ifTagExists: "overwrite" | "fail" | "skip";
  /** Also what refers to the image: signatures, SBOMs, attestations. */
  readonly referrers: boolean;
  /** At most one `blob-read` a blob in so many ms. */
  readonly progressIntervalMs: number;
}

/** How layers are to be compressed where they are sent to a destination that compresses; absent: gzip, its usual level. */
export interface CompressionWish {
  readonly format?: CompressionFormat;
  readonly level?: number;
}
