// Lists of images: OCI indexes and docker manifest lists.

import { isObject } from "../json.ts";
import { isList } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { arrayOf, invalid, parseDescriptor, parseManifest } from "./document.ts";
import { LIMITS, type ImageList, type Instance, type RawManifest } from "./manifest.ts";

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
