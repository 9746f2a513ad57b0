// The options, each in the service's words and in skopeo's, with the inputs that show what it does.

import { OCI_MANIFEST, SCHEMA1_SIGNED, SCHEMA2 } from "../../../src/image/media-types.ts";
import type { CompressionFormat } from "../../../src/copy/options.ts";
import type { InputName } from "./corpus.ts";
import type { ArchiveName, TarballName } from "./files.ts";
import type { Option, Request } from "./model.ts";

const LISTS = ["docker list", "oci index"] as const satisfies InputName[];
const IMAGES = ["s2", "oci gzip"] as const satisfies InputName[];
const PACKED = [
  "s2",
  "s2 uncompressed",
  "oci gzip",
  "oci zstd",
  "oci zstd:chunked",
  "oci uncompressed",
  "oci mixed",
] as const satisfies InputName[];
const ONE_SAVED = ["saved before 25"] as const satisfies ArchiveName[];
const ONE_TAR = ["two tars"] as const satisfies TarballName[];

const ALL: Request = { options: { imageListSelection: "all" } };

const everything = { archives: ONE_SAVED, tarballs: ONE_TAR } as const;

const platform = (
  os: string,
  architecture: string,
  variant: string | undefined,
  inputs: readonly InputName[],
): Option => ({
  group: "system",
  request: {
    sourceContext: { os, architecture, ...(variant !== undefined && { variant }) },
  },
  global: [
    `--override-os=${os}`,
    `--override-arch=${architecture}`,
    ...(variant === undefined ? [] : [`--override-variant=${variant}`]),
  ],
  inputs,
  from: ["docker", "oci", "oci-archive", "dir"],
});

const format = (mediaType: string, flag: string): Option => ({
  group: "format",
  request: { options: { forceManifestMimeType: mediaType } },
  flags: [`--format=${flag}`],
  inputs: [
    ...PACKED,
    "s2 docker-only fields",
    "oci annotated",
    "oci without its type",
    "artifact",
    "encrypted",
    "foreign s2",
    "foreign oci",
    "duplicate layers",
    "no layers",
    "s1 signed",
  ],
  ...everything,
});

const formatOfAll = (mediaType: string, flag: string): Option => ({
  group: "format",
  request: { options: { imageListSelection: "all", forceManifestMimeType: mediaType } },
  flags: ["--all", `--format=${flag}`],
  inputs: [...LISTS, "oci index uncompressed", "oci index attested", "windows list"],
  from: ["docker", "oci", "oci-archive", "dir"],
});

const compression = (
  compressionFormat: CompressionFormat,
  more: { level?: number; force?: boolean; all?: boolean } = {},
): Option => {
  const { level, force = false, all = false } = more;
  return {
    group: "compression",
    request: {
      options: {
        ...(force && { forceCompressionFormat: true }),
        ...(all && { imageListSelection: "all" }),
      },
      destinationContext: {
        compressionFormat,
        ...(level !== undefined && { compressionLevel: level }),
      },
    },
    flags: [
      `--dest-compress-format=${compressionFormat}`,
      ...(level === undefined ? [] : [`--dest-compress-level=${level}`]),
      ...(force ? ["--dest-force-compress-format"] : []),
      ...(all ? ["--all"] : []),
    ],
    inputs: all
      ? ["oci index", "docker list", "oci index zstd and gzip"]
      : level === undefined && !force
        ? [...PACKED, "artifact", "encrypted", "foreign oci"]
        : ["oci gzip", "oci zstd", "oci uncompressed"],
    ...(all ? { from: ["docker", "oci", "oci-archive", "dir"] } : everything),
  };
};

export const OPTIONS = {
  all: {
    group: "all",
    request: ALL,
    flags: ["--all"],
    inputs: [
      ...LISTS,
      "oci index uncompressed",
      "docker list uncompressed",
      "oci index annotated",
      "oci index attested",
      "oci index with artifacts",
      "oci index zstd and gzip",
      "oci index of both families",
      "docker list of both families",
      "oci index sparse",
      "oci index without platforms",
      "oci index of an index",
      "oci index of nothing",
      "windows list",
      "signed list",
      "list of signed images",
      "oci gzip",
    ],
    ...everything,
  },
  "arm v6": platform("linux", "arm", "v6", LISTS),
  arm: platform("linux", "arm", undefined, LISTS),
  "arm64 v8": platform("linux", "arm64", "v8", [
    ...LISTS,
    "oci index attested",
    "oci index zstd and gzip",
    "oci index of both families",
    "docker list of both families",
    "oci index sparse",
  ]),
  "windows amd64": platform("windows", "amd64", undefined, ["windows list", ...LISTS]),
  "plan9 mips": platform("plan9", "mips", undefined, [
    ...LISTS,
    "oci index with artifacts",
    "oci index without platforms",
  ]),
  "index only": {
    group: "index only",
    request: { options: { imageListSelection: "specific", instances: [] } },
    flags: ["--multi-arch=index-only"],
    inputs: [...LISTS, "oci index annotated", "oci index sparse"],
    from: ["docker", "oci", "oci-archive", "dir"],
  },
  "preserve digests": {
    group: "preserve digests",
    request: { options: { preserveDigests: true } },
    flags: ["--preserve-digests"],
    inputs: [...PACKED, "s1 signed", "docker list", "artifact", "oci annotated"],
    ...everything,
  },
  "preserve digests of all": {
    group: "preserve digests",
    request: { options: { imageListSelection: "all", preserveDigests: true } },
    flags: ["--all", "--preserve-digests"],
    inputs: [...LISTS, "oci index uncompressed", "oci index of both families"],
    from: ["docker", "oci", "oci-archive", "dir"],
  },
  "preserve digests, zstd": {
    group: "preserve digests",
    request: {
      options: { preserveDigests: true },
      destinationContext: { compressionFormat: "zstd" },
    },
    flags: ["--preserve-digests", "--dest-compress-format=zstd"],
    inputs: ["oci gzip", "s2"],
  },
  "format v2s2": format(SCHEMA2, "v2s2"),
  "format oci": format(OCI_MANIFEST, "oci"),
  "format v2s1": format(SCHEMA1_SIGNED, "v2s1"),
  "format v2s2 of all": formatOfAll(SCHEMA2, "v2s2"),
  "format oci of all": formatOfAll(OCI_MANIFEST, "oci"),
  "format oci, zstd": {
    group: "format",
    request: {
      options: { forceManifestMimeType: OCI_MANIFEST },
      destinationContext: { compressionFormat: "zstd" },
    },
    flags: ["--format=oci", "--dest-compress-format=zstd"],
    inputs: ["s2", "s2 uncompressed", "oci gzip"],
    ...everything,
  },
  "format v2s2, zstd": {
    group: "format",
    request: {
      options: { forceManifestMimeType: SCHEMA2 },
      destinationContext: { compressionFormat: "zstd" },
    },
    flags: ["--format=v2s2", "--dest-compress-format=zstd"],
    inputs: ["s2", "oci gzip"],
  },
  "format v2s2, gzip": {
    group: "format",
    request: {
      options: { forceManifestMimeType: SCHEMA2 },
      destinationContext: { compressionFormat: "gzip" },
    },
    flags: ["--format=v2s2", "--dest-compress-format=gzip"],
    inputs: ["oci zstd", "oci zstd:chunked", "oci mixed"],
  },
  "remove signatures": {
    group: "remove signatures",
    request: { options: { removeSignatures: true } },
    flags: ["--remove-signatures"],
    inputs: ["signed s2", "signed oci uncompressed", "s2"],
    from: ["docker", "oci", "oci-archive", "dir"],
  },
  "remove signatures of all": {
    group: "remove signatures",
    request: { options: { imageListSelection: "all", removeSignatures: true } },
    flags: ["--all", "--remove-signatures"],
    inputs: ["signed list", "list of signed images"],
    from: ["dir"],
  },
  gzip: compression("gzip"),
  zstd: compression("zstd"),
  "zstd:chunked": compression("zstd:chunked"),
  "gzip 9": compression("gzip", { level: 9 }),
  "zstd 19": compression("zstd", { level: 19 }),
  "gzip, forced": compression("gzip", { force: true }),
  "zstd, forced": compression("zstd", { force: true }),
  "zstd of all": compression("zstd", { all: true }),
  "gzip of all": compression("gzip", { all: true }),
  "zstd:chunked of all": compression("zstd:chunked", { all: true }),
  "dir compress": {
    group: "dir",
    request: { destinationContext: { dirForceCompress: true } },
    flags: ["--dest-compress"],
    inputs: [...PACKED, "s1 signed", "artifact"],
    to: ["dir"],
    ...everything,
  },
  "dir decompress": {
    group: "dir",
    request: { destinationContext: { dirForceDecompress: true } },
    flags: ["--dest-decompress"],
    inputs: [...PACKED, "s1 signed", "oci bzip2", "oci xz", "encrypted", "artifact"],
    to: ["dir"],
    ...everything,
  },
  "dir compress zstd": {
    group: "dir",
    request: { destinationContext: { dirForceCompress: true, compressionFormat: "zstd" } },
    flags: ["--dest-compress", "--dest-compress-format=zstd"],
    inputs: ["oci gzip", "oci uncompressed", "s2"],
    to: ["dir"],
  },
  "accept uncompressed": {
    group: "accept uncompressed",
    request: { destinationContext: { acceptUncompressedLayers: true } },
    flags: ["--dest-oci-accept-uncompressed-layers"],
    inputs: ["oci uncompressed", "oci mixed", "s2 uncompressed", "oci bzip2"],
    to: ["oci", "oci-archive"],
    ...everything,
  },
  "more tags": {
    group: "more tags",
    request: { options: { additionalTags: ["example.com/team/app:2", "busybox:latest"] } },
    flags: ["--additional-tag=example.com/team/app:2", "--additional-tag=busybox:latest"],
    inputs: ["s2", "oci zstd"],
    to: ["docker-archive"],
    ...everything,
  },
  "by digest": {
    group: "digest",
    twist: "destination by digest",
    inputs: [...IMAGES, "oci uncompressed", "docker list"],
    to: ["docker", "distribution"],
  },
  "all by digest": {
    group: "digest",
    request: ALL,
    flags: ["--all"],
    twist: "destination by digest",
    inputs: [...LISTS, "oci index uncompressed"],
    from: ["docker", "oci", "oci-archive", "dir"],
    to: ["docker", "distribution"],
  },
  "from digest": {
    group: "digest",
    twist: "source by digest",
    inputs: ["s2", "oci uncompressed", "docker list", "s1 signed"],
    from: ["docker"],
  },
  "from place": {
    group: "names",
    twist: "source by place",
    inputs: [...IMAGES, "oci index"],
    from: ["oci"],
  },
  "from no name": {
    group: "names",
    twist: "source without a name",
    inputs: ["oci gzip"],
    from: ["oci", "oci-archive"],
  },
  "to no name": {
    group: "names",
    twist: "destination without a name",
    inputs: IMAGES,
    to: ["oci", "oci-archive", "docker-archive"],
    ...everything,
  },
  replaces: {
    group: "names",
    twist: "replaces",
    inputs: [...IMAGES, "s2 uncompressed", "docker list"],
    ...everything,
  },
  beside: {
    group: "names",
    twist: "beside",
    inputs: IMAGES,
    to: ["oci", "oci-archive", "docker-archive"],
    ...everything,
  },
  "shared source blobs": {
    group: "shared blobs",
    twist: "shared blobs at the source",
    inputs: [...IMAGES, "oci uncompressed", "oci index"],
    from: ["oci"],
  },
  "shared destination blobs": {
    group: "shared blobs",
    twist: "shared blobs at the destination",
    inputs: [...IMAGES, "oci uncompressed", "oci index"],
    to: ["oci"],
    ...everything,
  },
} satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;
