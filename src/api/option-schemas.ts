// `options` of a request.

import { Type } from "typebox";
import { OCI_MANIFEST, SCHEMA1, SCHEMA1_SIGNED, SCHEMA2 } from "../image/media-types.ts";

/** What an absent field means. */
export const DEFAULTS = {
  imageListSelection: "system",
  sparseManifestListAction: "keep",
  preferGzipInstances: false,
  removeListSignatures: false,
  forceCompressionFormat: false,
  referrers: false,
  preserveDigests: false,
  removeSignatures: false,
  maxParallelDownloads: 6,
  optimizeDestinationImageAlreadyExists: false,
  downloadForeignLayers: false,
  ifTagExists: "overwrite",
  progressIntervalMs: 1000,
  priority: 0,
  attempts: 3,
  timeoutSeconds: 3600,
} as const;

/** What layers can be compressed into. */
export const FORMATS = ["gzip", "zstd", "zstd:chunked"] as const;

/** Manifest types of single images. */
const IMAGE_TYPES = [OCI_MANIFEST, SCHEMA2, SCHEMA1_SIGNED, SCHEMA1] as const;

/** gzip's highest; zstd goes on to 22. */
export const GZIP_LEVELS = 9;

export const level = Type.Integer({
  minimum: 1,
  maximum: 22,
  description: "As the algorithm counts: gzip 1 to 9, zstd 1 to 22. Absent: its usual one.",
});

/** Unknown fields are errors. */
export const strict = { additionalProperties: false } as const;

export const flag = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description });

export const Options = Type.Object(
  {
    imageListSelection: Type.Optional(
      Type.Enum(["system", "all", "specific"], {
        type: "string",
        default: DEFAULTS.imageListSelection,
        description:
          "What is copied of a list (a multi-platform image): the image for one platform, the list with all its images, or the list with some of them.",
      }),
    ),
    instances: Type.Optional(
      Type.Array(Type.String({ maxLength: 136 }), {
        maxItems: 1024,
        uniqueItems: true,
        description:
          "With `specific`: digests of the images to copy. An empty list copies the list alone.",
      }),
    ),
    platforms: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), {
        maxItems: 128,
        uniqueItems: true,
        description:
          "With `specific`: the images to copy by platform, `os/architecture[/variant]`, besides those of `instances`.",
      }),
    ),
    sparseManifestListAction: Type.Optional(
      Type.Enum(["keep", "strip"], {
        type: "string",
        default: DEFAULTS.sparseManifestListAction,
        description:
          "With `specific`: the list that is written still names the images that were not copied, or names only those that were.",
      }),
    ),
    preferGzipInstances: Type.Optional(
      flag(
        DEFAULTS.preferGzipInstances,
        "With `system`: where an OCI index has several images for the platform, take the gzip one rather than the zstd one.",
      ),
    ),
    preserveDigests: Type.Optional(
      flag(DEFAULTS.preserveDigests, "Fail rather than write a manifest with another digest."),
    ),
    removeSignatures: Type.Optional(flag(DEFAULTS.removeSignatures, "Do not copy signatures.")),
    removeListSignatures: Type.Optional(
      flag(
        DEFAULTS.removeListSignatures,
        "With `all` and `specific`: do not copy the list's own signatures, so that it may be changed.",
      ),
    ),
    forceManifestMimeType: Type.Optional(
      Type.Enum([...IMAGE_TYPES], {
        type: "string",
        description:
          "The type to write manifests in, whatever the destination prefers; a list becomes one of the same family.",
      }),
    ),
    maxParallelDownloads: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 64,
        default: DEFAULTS.maxParallelDownloads,
        description: "Blobs of this job that are copied at once.",
      }),
    ),
    optimizeDestinationImageAlreadyExists: Type.Optional(
      flag(
        DEFAULTS.optimizeDestinationImageAlreadyExists,
        "Copy nothing if the destination names the same manifest already.",
      ),
    ),
    downloadForeignLayers: Type.Optional(
      flag(
        DEFAULTS.downloadForeignLayers,
        "Copy layers that are kept elsewhere (with URLs) as if they were usual ones.",
      ),
    ),
    forceCompressionFormat: Type.Optional(
      flag(
        DEFAULTS.forceCompressionFormat,
        "Blobs that the destination has in another compression than `destinationContext.compressionFormat` are not reused.",
      ),
    ),
    ensureCompressionVariantsExist: Type.Optional(
      Type.Array(
        Type.Object(
          {
            algorithm: Type.Enum([...FORMATS], { type: "string" }),
            level: Type.Optional(level),
          },
          strict,
        ),
        {
          maxItems: FORMATS.length,
          description:
            "With `all`: each platform of the list gets an image in these compressions too, if it has none yet.",
        },
      ),
    ),
    destinationTimestamp: Type.Optional(
      Type.String({
        maxLength: 40,
        format: "date-time",
        description: "For `oci-archive:` destinations: the time of all files in the archive.",
      }),
    ),
    additionalTags: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
        maxItems: 64,
        uniqueItems: true,
        description:
          "For `docker-archive:` destinations: more names for the image, `[registry/]repository:tag`.",
      }),
    ),
    ifTagExists: Type.Optional(
      Type.Enum(["overwrite", "fail", "skip"], {
        type: "string",
        default: DEFAULTS.ifTagExists,
        description:
          "What a tag that exists at the destination means: it is moved, the job fails with `tag_exists`, or the job succeeds and has written nothing. Where it cannot be found out whether it exists, the last two fail with `destination_unauthorized`.",
      }),
    ),
    referrers: Type.Optional(
      flag(
        DEFAULTS.referrers,
        "Also copy what refers to the image: signatures, SBOMs, attestations. The image is then copied without a change.",
      ),
    ),
    policy: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description:
            "A containers `policy.json` that the source's images must fulfil, besides the service's own policy. Keys are given in it (`keyData`, `keyDatas`, `caData` …): it can name no files. It is not repeated in answers.",
        },
      ),
    ),
    progressIntervalMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: 60_000,
        default: DEFAULTS.progressIntervalMs,
        description: "At most one `blob-read` event a blob in so many milliseconds.",
      }),
    ),
  },
  strict,
);
