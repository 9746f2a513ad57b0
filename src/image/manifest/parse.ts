// One image's manifest, of whatever format.

import { isList, isSchema1, SCHEMA2 } from "../media-types.ts";
import { normalizedMediaType, type Image, type RawManifest } from "./manifest.ts";
import { parseOci } from "./oci.ts";
import { invalid } from "./refused.ts";
import { parseSchema1, v1CompatibilityOf } from "./schema1.ts";
import { parseSchema2 } from "./schema2.ts";

/** Parses one image's manifest. Throws `manifest_invalid` (source) where readers could disagree on what it means. */
export function parseImage(manifest: RawManifest): Image {
  const mediaType = normalizedMediaType(manifest.mediaType);
  if (isList(mediaType)) throw invalid(`its type \`${mediaType}\` is a list's, not an image's`);
  if (isSchema1(mediaType)) return parseSchema1Image(manifest, mediaType);
  if (mediaType === SCHEMA2) return { mediaType, ...parseSchema2(manifest) };
  const { saysType: _, ...image } = parseOci(manifest);
  return { mediaType, ...image };
}

function parseSchema1Image(manifest: RawManifest, mediaType: string): Image {
  const layers = parseSchema1(manifest).entries.map((entry, i) => ({
    mediaType: "",
    digest: entry.blobSum,
    ...(v1CompatibilityOf(entry, i).throwaway && { empty: true }),
  }));
  return { mediaType, config: undefined, layers: layers.toReversed() };
}
