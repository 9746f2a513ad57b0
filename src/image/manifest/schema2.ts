// Docker schema 2 (distribution, manifest-v2-2; semantics 3.4).

import type { Descriptor } from "../blob-info.ts";
import { goArray, goString, goStrings, goStruct, unlessEmpty, type Json } from "../go-json.ts";
import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  DOCKER_LIST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../media-types.ts";
import { arrayOf, parseDescriptor, readDocument } from "./document.ts";
import { LIMITS, type RawManifest } from "./manifest.ts";
import { invalid } from "./refused.ts";

export interface Schema2Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The docker types that containers/image knows; others make a schema 2 manifest invalid. */
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

export function parseSchema2({ bytes, mediaType }: RawManifest): Schema2Manifest {
  const document = readDocument(bytes, mediaType, ["config", "layers"]);
  if (document["mediaType"] !== SCHEMA2)
    throw invalid("it does not say that it is docker schema 2, as it must in its `mediaType`");
  const layers = arrayOf(document, "layers", LIMITS.layers).map((layer, i) =>
    parseDescriptor(layer, `layers[${i}]`),
  );
  for (const { mediaType: type } of layers)
    if (!DOCKER_TYPES.has(type))
      throw invalid(`\`${type.slice(0, 200)}\` is not a type that docker schema 2 knows`);
  return { config: parseDescriptor(document["config"], "config"), layers };
}

export function writeSchema2({ config, layers }: Schema2Manifest): RawManifest {
  const document = goStruct({
    schemaVersion: "2",
    mediaType: goString(SCHEMA2),
    config: dockerDescriptor(config),
    layers: goArray(layers.map(dockerDescriptor)),
  });
  return { mediaType: SCHEMA2, bytes: Buffer.from(document) };
}

const dockerDescriptor = (descriptor: Descriptor): Json =>
  goStruct(dockerDescriptorFields(descriptor));

/** For descriptors in lists, too, which have a platform besides. */
export const dockerDescriptorFields = ({ mediaType, size, digest, urls }: Descriptor) => ({
  mediaType: goString(mediaType),
  size: String(size),
  digest: goString(digest),
  urls: unlessEmpty(urls, goStrings),
});
