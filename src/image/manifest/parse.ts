// One image's manifest, of whatever format.

import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  DOCKER_LIST,
  isSchema1,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../media-types.ts";
import { arrayOf, invalid, parseDescriptor, parseManifest } from "./document.ts";
import { LIMITS, type Image, type RawManifest } from "./manifest.ts";

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
