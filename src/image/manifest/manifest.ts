// Manifests as values: the bytes as they were read, and what they say. Bytes are the truth: an unedited manifest is
// written as it was read, for its digest covers every one of them.

import type { Descriptor } from "../blob-info.ts";
import { digestOf, type Algorithm, type Digest } from "../digest.ts";
import { isObject, parseJsonObject } from "../json.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../media-types.ts";
import type { Platform } from "../platform.ts";

/** A manifest as it was read. */
export interface RawManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** One image: a config and layers, root first. */
export interface Image {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** One entry of a list. */
export interface Instance extends Descriptor {
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** A list of images: an OCI index or a docker manifest list. */
export interface ImageList {
  readonly mediaType: string;
  readonly instances: readonly Instance[];
}

/** Bytes a manifest may have (containers/image reads no more, CVE-2020-1702). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** Entries a manifest may name (reliability T22). */
export const LIMITS = { layers: 10_000, instances: 1_024 } as const;

export const manifestDigest = (manifest: RawManifest, algorithm: Algorithm = "sha256"): Digest =>
  digestOf(manifest.bytes, algorithm);

/**
 * The type of a manifest whose source has no word on it (semantics 3.1, GuessMIMEType); "" where nothing fits. `mediaType` inside
 * is believed only for the four types that must carry it.
 */
export function guessMediaType(bytes: Uint8Array): string {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseJsonObject(bytes);
  } catch {
    return "";
  }
  const { mediaType, schemaVersion, config, manifests } = document as {
    mediaType?: unknown;
    schemaVersion?: unknown;
    config?: unknown;
    manifests?: unknown;
  };
  if (
    mediaType === SCHEMA2 ||
    mediaType === DOCKER_LIST ||
    mediaType === OCI_MANIFEST ||
    mediaType === OCI_INDEX
  )
    return mediaType;
  if (schemaVersion === 1)
    return document["signatures"] === undefined || document["signatures"] === null
      ? SCHEMA1
      : SCHEMA1_SIGNED;
  if (schemaVersion !== 2) return "";
  const configType = isObject(config) ? config["mediaType"] : undefined;
  if (configType === OCI_CONFIG) return OCI_MANIFEST;
  if (configType === DOCKER_CONFIG) return SCHEMA2;
  if (Array.isArray(manifests) && manifests.length > 0)
    return config === undefined ? OCI_INDEX : "";
  return OCI_MANIFEST;
}
