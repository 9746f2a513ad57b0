// Manifests as values: the bytes as they were read, and what they say. Bytes are the truth: an unedited manifest is
// written as it was read, for its digest covers every one of them.

import type { Descriptor, NamedBlob } from "../blob-info.ts";
import { algorithmOf, digestOf, type Algorithm, type Digest } from "../digest.ts";
import { isObject, parseJsonObject } from "../json.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  isSchema1,
  MANIFEST_TYPES,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { payloadOf } from "./schema1-signature.ts";

/** A manifest as it was read. */
export interface RawManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** One image: a config and layers, root first. Schema 1 has no config, and tells neither sizes nor types of its layers. */
export interface Image {
  /** The type it is read as (`normalizedMediaType`). */
  readonly mediaType: string;
  readonly config: Descriptor | undefined;
  readonly layers: readonly Layer[];
  readonly artifactType?: string;
  /** The manifest that it refers to. */
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Layer extends NamedBlob {
  /** Schema 1: the layer changes nothing ("throwaway"), and other formats leave it out. */
  readonly empty?: boolean;
}

/** A descriptor with all that OCI lets it say. */
export interface OciDescriptor extends Descriptor {
  readonly platform?: Platform;
  readonly artifactType?: string;
  /** The content itself, in base64. */
  readonly data?: string;
}

/** One entry of a list. */
export type Instance = OciDescriptor;

/** A list of images: an OCI index or a docker manifest list. */
export interface ImageList {
  readonly mediaType: string;
  readonly instances: readonly Instance[];
  readonly artifactType?: string;
  readonly subject?: OciDescriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Bytes a manifest may have (containers/image reads no more, CVE-2020-1702). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** What a manifest may hold (reliability T22): entries, annotations of one thing, bytes of one annotation and of all together. */
export const LIMITS = {
  layers: 10_000,
  /** Each has a document of its own, and docker never made more than 127. */
  schema1Layers: 1_000,
  instances: 1_024,
  annotations: 1_000,
  annotationBytes: 64 * 1024,
  annotationsBytes: 1024 * 1024,
} as const;

/**
 * The digest that names a manifest: of its bytes; of a signed schema 1 manifest without its signatures (semantics 3.5). Throws
 * `manifest_invalid` where those are malformed.
 */
export function manifestDigest(manifest: RawManifest, algorithm: Algorithm = "sha256"): Digest {
  const signed =
    isSchema1(normalizedMediaType(manifest.mediaType)) &&
    guessMediaType(manifest.bytes) === SCHEMA1_SIGNED;
  return digestOf(signed ? payloadOf(manifest.bytes) : manifest.bytes, algorithm);
}

/**
 * Whether a registry may say this digest of a manifest. Signed schema 1 has two: its own, and that of all bytes, which registries say that know
 * nothing of signatures (go-containerregistry's). Throws as manifestDigest.
 */
export function mayBeCalled(manifest: RawManifest, digest: Digest): boolean {
  const algorithm = algorithmOf(digest);
  return (
    digest === manifestDigest(manifest, algorithm) || digest === digestOf(manifest.bytes, algorithm)
  );
}

/** What a manifest is read as that was served with this type: signed schema 1 unless the type is known (semantics 3.1). */
export const normalizedMediaType = (mediaType: string): string =>
  MANIFEST_TYPES.find((known) => known === mediaType) ?? SCHEMA1_SIGNED;

/**
 * The type of a manifest whose source has no word on it (semantics 3.1, GuessMIMEType); "" where nothing fits. `mediaType` inside
 * is believed only for the four types that must carry it.
 */
export function guessMediaType(bytes: Uint8Array): string {
  const known = guessed.get(bytes);
  if (known !== undefined) return known;
  const guess = guessIn(bytes);
  guessed.set(bytes, guess);
  return guess;
}

/** The bytes of a manifest do not change, and what they look like is asked for at every turn. */
const guessed = new WeakMap<Uint8Array, string>();

function guessIn(bytes: Uint8Array): string {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseJsonObject(bytes, { numbers: "integers" });
  } catch {
    return "";
  }
  const { mediaType, schemaVersion, config, manifests, signatures } = document as {
    mediaType?: unknown;
    schemaVersion?: unknown;
    config?: unknown;
    manifests?: unknown;
    signatures?: unknown;
  };
  if (
    mediaType === SCHEMA2 ||
    mediaType === DOCKER_LIST ||
    mediaType === OCI_MANIFEST ||
    mediaType === OCI_INDEX
  )
    return mediaType;
  if (schemaVersion === 1) return (signatures ?? null) === null ? SCHEMA1 : SCHEMA1_SIGNED;
  if (schemaVersion !== 2) return "";
  const configType = (isObject(config) && config["mediaType"]) || "";
  if (configType === OCI_CONFIG) return OCI_MANIFEST;
  if (configType === DOCKER_CONFIG) return SCHEMA2;
  if (Array.isArray(manifests) && manifests.length > 0) return configType === "" ? OCI_INDEX : "";
  return OCI_MANIFEST;
}
