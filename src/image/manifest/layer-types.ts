// Layers' media types: what they say of a layer's compression and encryption, and what they become when these change (semantics 3.8,
// 3.9, 4.1).

import { CopyError } from "../../errors.ts";
import { baseOf, type Compression } from "../compression.ts";
import {
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  isSchema1,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_NONDISTRIBUTABLE_LAYER,
  OCI_MANIFEST,
} from "../media-types.ts";
import type { Image } from "./manifest.ts";
import { invalid, rejected } from "./refused.ts";

/** What was done to a layer on its way. `preserve` with a compression: its bytes are the same, and are known to be so compressed. */
export type Operation = "preserve" | "compress" | "decompress";

/** The types of one kind of layer by its compression; undefined: its format has none for that. */
interface Family {
  readonly none: string;
  readonly gzip: string;
  readonly zstd: string | undefined;
}

const family = (type: string, gzip: string, zstd?: string): Family => ({
  none: type,
  gzip: type + gzip,
  zstd: zstd && type + zstd,
});

export const OCI_FAMILIES: readonly Family[] = [
  family(OCI_LAYER, "+gzip", "+zstd"),
  family(OCI_NONDISTRIBUTABLE_LAYER, "+gzip", "+zstd"),
];
/** Docker's own zstd type is in none: nobody may write it. */
export const DOCKER_FAMILIES: readonly Family[] = [
  family(DOCKER_LAYER, ".gzip"),
  family(DOCKER_FOREIGN_LAYER, ".gzip"),
];

/** A layer's compression cannot be said in this manifest type; it can in another one, which is to be tried (semantics 3.3). */
export class IncompatibleCompression extends CopyError {
  constructor(why: string) {
    super("manifest_rejected", why, { side: "destination", phase: "manifest" });
  }
}

/** The type of a layer after what was done to it. Throws `IncompatibleCompression`, or `manifest_rejected` where no other type helps. */
export function typeAfter(
  families: readonly Family[],
  mediaType: string,
  { operation, compression }: { operation: Operation; compression?: Compression },
): string {
  if (operation !== "decompress" && compression === undefined) return mediaType;
  const wanted =
    operation === "decompress" || compression === undefined ? "none" : baseOf(compression);
  const kind = familyOf(families, mediaType);
  if (kind === undefined)
    throw rejected(`a layer of type \`${mediaType}\` cannot be compressed otherwise`);
  const type =
    wanted === "none" || wanted === "gzip" || wanted === "zstd" ? kind[wanted] : undefined;
  if (type === undefined)
    throw new IncompatibleCompression(
      `there is no type for \`${mediaType}\` compressed as ${wanted}`,
    );
  return type;
}

const familyOf = (families: readonly Family[], mediaType: string): Family | undefined =>
  families.find(({ none, gzip, zstd }) => [none, gzip, zstd].includes(mediaType));

/**
 * Whether the image's layers of this type may be compressed otherwise: not those of artifacts, encrypted ones, and others of which
 * nobody knows what they are.
 */
export function canChangeCompression({ mediaType, config }: Image, layerType: string): boolean {
  if (isSchema1(mediaType)) return true;
  if (mediaType !== OCI_MANIFEST) return familyOf(DOCKER_FAMILIES, layerType) !== undefined;
  return config?.mediaType === OCI_CONFIG && familyOf(OCI_FAMILIES, layerType) !== undefined;
}

/** Where zstd:chunked and eStargz say which table of contents they have. */
const TABLES_OF_CONTENTS = [
  "io.github.containers.zstd-chunked.manifest-checksum",
  "containerd.io/snapshot/stargz/toc.digest",
] as const;

/** What a layer's type says of its compression, in the words of an update (semantics 4.1, first step). */
export function compressionOf(
  mediaType: string,
  annotations: Readonly<Record<string, string>> = {},
): { readonly operation: Operation; readonly compression?: Compression } {
  if (mediaType === DOCKER_LAYER || mediaType === OCI_LAYER) return { operation: "decompress" };
  if (mediaType === `${DOCKER_LAYER}.gzip` || mediaType === `${OCI_LAYER}+gzip`)
    return { operation: "preserve", compression: "gzip" };
  if (mediaType !== `${OCI_LAYER}+zstd`) return { operation: "preserve" };
  const tables = TABLES_OF_CONTENTS.filter((name) => Object.hasOwn(annotations, name));
  if (tables.length > 1) throw invalid("a layer claims to be zstd:chunked and eStargz at once");
  return { operation: "preserve", compression: tables.length > 0 ? "zstd:chunked" : "zstd" };
}

const ENCRYPTED = "+encrypted";

export const isEncrypted = (mediaType: string): boolean => mediaType.endsWith(ENCRYPTED);

/** Throws `manifest_rejected` where the type has no encrypted counterpart. */
export function encryptedType(mediaType: string): string {
  const [base = "", ...suffixes] = mediaType.split("+");
  const known = [OCI_LAYER, OCI_NONDISTRIBUTABLE_LAYER, `${DOCKER_LAYER}.gzip`].includes(base);
  if (known && !suffixes.includes("encrypted")) return mediaType + ENCRYPTED;
  throw rejected(`a layer of type \`${mediaType}\` has no encrypted counterpart`);
}

export function decryptedType(mediaType: string): string {
  if (isEncrypted(mediaType)) return mediaType.slice(0, -ENCRYPTED.length);
  throw rejected(`a layer of type \`${mediaType}\` is not encrypted`);
}
