// Manifests as values: the bytes as they were read, and what they say. Bytes are the truth: an unedited manifest is
// written as it was read, for its digest covers every one of them.

import { CopyError } from "../../errors.ts";
import type { Descriptor } from "../blob-info.ts";
import { digestOf, parseDigest, type Algorithm, type Digest } from "../digest.ts";
import { isObject, parseJsonObject } from "../json.ts";
import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  DOCKER_LIST,
  isList,
  isSchema1,
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

/** The fields that make a document one kind or another; any other of them makes it ambiguous (CVE-2021-41190, semantics 3.4). */
const MEANINGFUL = ["config", "fsLayers", "history", "layers", "manifests"] as const;

/** Parses one image's manifest. Throws `manifest_invalid` (source) where readers could disagree on what it means. */
export function parseImage(manifest: RawManifest): Image {
  const { mediaType } = manifest;
  if (isSchema1(mediaType))
    throw invalid("it is a docker schema 1 manifest, which this version does not copy");
  if (mediaType !== SCHEMA2 && mediaType !== OCI_MANIFEST)
    throw invalid(`its type \`${mediaType}\` is not an image manifest's`);
  const document = parseManifest(manifest, ["config", "layers"]);
  const layers = arrayOf(document, "layers", LIMITS.layers).map((layer, i) =>
    parseDescriptor(layer, `layers[${i}]`),
  );
  const config = parseDescriptor(document["config"], "config");
  if (mediaType === SCHEMA2)
    for (const { mediaType: type } of [config, ...layers]) checkDockerType(type);
  return { mediaType, config, layers };
}

/** Parses a list. Throws `manifest_invalid` (source). */
export function parseList(manifest: RawManifest): ImageList {
  if (!isList(manifest.mediaType))
    throw invalid(`its type \`${manifest.mediaType}\` is not a list's`);
  const document = parseManifest(manifest, ["manifests"]);
  const instances = arrayOf(document, "manifests", LIMITS.instances).map((entry, i) =>
    parseInstance(entry, `manifests[${i}]`),
  );
  return { mediaType: manifest.mediaType, instances };
}

function parseManifest(
  manifest: RawManifest,
  allowed: readonly string[],
): Readonly<Record<string, unknown>> {
  if (manifest.bytes.length > MANIFEST_LIMIT)
    throw invalid(`it has ${manifest.bytes.length} bytes, more than ${MANIFEST_LIMIT}`);
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseJsonObject(manifest.bytes);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
  const own = document["mediaType"];
  if (own !== undefined && own !== manifest.mediaType)
    throw invalid(
      `it says of itself ${JSON.stringify(own).slice(0, 100)}, but was served as \`${manifest.mediaType}\``,
    );
  const known = new Map(MEANINGFUL.map((name) => [name.toLowerCase(), name]));
  for (const [key, value] of Object.entries(document)) {
    const name = known.get(key.toLowerCase());
    if (name === undefined || value === null) continue;
    if (key !== name || !allowed.includes(name))
      throw invalid(`the field \`${key}\` makes it ambiguous as \`${manifest.mediaType}\``);
  }
  return document;
}

/** The docker types that containers/image knows (semantics 3.4); others make a schema 2 manifest invalid. */
const DOCKER_TYPES: ReadonlySet<string> = new Set([
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
  DOCKER_LIST,
  DOCKER_CONFIG,
  DOCKER_LAYER,
  `${DOCKER_LAYER}.gzip`,
  `${DOCKER_LAYER}.zstd`,
  DOCKER_FOREIGN_LAYER,
  `${DOCKER_FOREIGN_LAYER}.gzip`,
]);

function checkDockerType(type: string): void {
  if (!DOCKER_TYPES.has(type))
    throw invalid(`\`${type}\` is not a type that docker schema 2 knows`);
}

function arrayOf(
  document: Readonly<Record<string, unknown>>,
  name: string,
  limit: number,
): readonly unknown[] {
  const value = document[name] ?? [];
  if (!Array.isArray(value)) throw invalid(`\`${name}\` is not an array`);
  if (value.length > limit)
    throw invalid(`\`${name}\` has ${value.length} entries, more than ${limit}`);
  return value;
}

function parseDescriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`\`${where}\` is not a descriptor`);
  const { mediaType, size, urls, annotations } = value as {
    mediaType?: unknown;
    size?: unknown;
    urls?: unknown;
    annotations?: unknown;
  };
  const digest = parseDigest(value["digest"]);
  if (digest === undefined) throw invalid(`\`${where}.digest\` is not a digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`\`${where}.size\` is not a number of bytes`);
  if (typeof mediaType !== "string") throw invalid(`\`${where}.mediaType\` is not a string`);
  if (urls !== undefined && urls !== null && !isStrings(urls))
    throw invalid(`\`${where}.urls\` is not a list of strings`);
  if (
    annotations !== undefined &&
    annotations !== null &&
    !(isObject(annotations) && isStrings(Object.values(annotations)))
  )
    throw invalid(`\`${where}.annotations\` are not strings`);
  return {
    mediaType,
    digest,
    size,
    ...(isStrings(urls) && urls.length > 0 && { urls }),
    ...(isObject(annotations) && { annotations: annotations as Record<string, string> }),
  };
}

function parseInstance(value: unknown, where: string): Instance {
  const descriptor = parseDescriptor(value, where);
  const { platform, artifactType } = value as { platform?: unknown; artifactType?: unknown };
  return {
    ...descriptor,
    ...(platform !== undefined &&
      platform !== null && { platform: parsePlatformObject(platform, `${where}.platform`) }),
    ...(typeof artifactType === "string" && { artifactType }),
  };
}

function parsePlatformObject(value: unknown, where: string): Platform {
  if (!isObject(value)) throw invalid(`\`${where}\` is not an object`);
  const { os, architecture, variant } = value as {
    os?: unknown;
    architecture?: unknown;
    variant?: unknown;
  };
  if (typeof os !== "string" || typeof architecture !== "string")
    throw invalid(`\`${where}\` has no os and architecture`);
  if (variant !== undefined && typeof variant !== "string")
    throw invalid(`\`${where}.variant\` is not a string`);
  return { ...(value as object), os, architecture, ...(variant !== undefined && { variant }) };
}

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((v) => typeof v === "string");

const invalid = (why: string, cause?: unknown): CopyError =>
  new CopyError(
    "manifest_invalid",
    `the manifest is refused: ${why}`,
    { side: "source", phase: "manifest" },
    cause,
  );
