// Between schema 2 and OCI (semantics 3.7.3, 3.7.4).

import { digestOf } from "../digest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_NONDISTRIBUTABLE_LAYER,
} from "../media-types.ts";
import { toOciConfig } from "./config.ts";
import { known, type OciDraft, type Schema2Draft } from "./draft.ts";
import { decryptedType, isEncrypted, OCI_FAMILIES, typeAfter } from "./layer-types.ts";
import { rejected } from "./refused.ts";
import { checkCount, type LayerUpdate } from "./updates.ts";

/** Layers' types in docker's words and in OCI's. */
const TYPES: readonly (readonly [docker: string, oci: string])[] = [
  [DOCKER_LAYER, OCI_LAYER],
  [`${DOCKER_LAYER}.gzip`, `${OCI_LAYER}+gzip`],
  [DOCKER_FOREIGN_LAYER, OCI_NONDISTRIBUTABLE_LAYER],
  [`${DOCKER_FOREIGN_LAYER}.gzip`, `${OCI_NONDISTRIBUTABLE_LAYER}+gzip`],
];
const FROM_DOCKER: ReadonlyMap<string, string> = new Map([
  ...TYPES,
  [`${DOCKER_LAYER}.zstd`, `${OCI_LAYER}+zstd`],
]);
/** Docker's zstd type may be read, not written. */
const TO_DOCKER: ReadonlyMap<string, string> = new Map(TYPES.map(([docker, oci]) => [oci, docker]));

export function schema2ToOci(draft: Schema2Draft): OciDraft {
  const config = toOciConfig(known(draft.config));
  const layers = draft.manifest.layers.map((layer) => {
    const mediaType = FROM_DOCKER.get(layer.mediaType);
    if (mediaType === undefined)
      throw rejected(`a layer of type \`${layer.mediaType}\` has no counterpart in OCI`);
    return { ...layer, mediaType };
  });
  return {
    format: "oci",
    manifest: {
      saysType: true,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers,
    },
    updates: draft.updates,
    config,
    newConfig: true,
  };
}

export function ociToSchema2(draft: OciDraft): Schema2Draft {
  const { config, layers, artifactType } = draft.manifest;
  if (config.mediaType === DOCKER_CONFIG)
    throw rejected("an OCI manifest with docker's config is neither the one nor the other");
  if (config.mediaType !== OCI_CONFIG)
    throw rejected(
      `an artifact of type \`${artifactType ?? config.mediaType}\` is no container image: it can only be an OCI manifest`,
    );
  const { updates } = draft;
  if (updates) checkCount(layers.length, updates.length);
  const changed = layers.map(({ mediaType }, i) => withoutOciOnly(mediaType, updates?.[i]));
  return {
    ...draft,
    format: "schema2",
    manifest: {
      config: { ...config, mediaType: DOCKER_CONFIG },
      layers: layers.map(({ digest, size, urls }, i) => ({
        mediaType: dockerType(changed[i]?.mediaType ?? ""),
        digest,
        size,
        ...(urls && { urls }),
      })),
    },
    updates: updates && changed.flatMap(({ update }) => (update === undefined ? [] : [update])),
  };
}

/** Encryption and zstd have no words in docker's manifests: an update that takes them away counts before the conversion. */
function withoutOciOnly(
  mediaType: string,
  update: LayerUpdate | undefined,
): { readonly mediaType: string; readonly update: LayerUpdate | undefined } {
  if (update?.crypto === "decrypt") {
    const { crypto: _, ...rest } = update;
    return { mediaType: decryptedType(mediaType), update: rest };
  }
  if (update !== undefined && mediaType.endsWith("+zstd")) {
    const { compression: _, ...rest } = update;
    return {
      mediaType: typeAfter(OCI_FAMILIES, mediaType, update),
      update: { ...rest, operation: "preserve" },
    };
  }
  return { mediaType, update };
}

function dockerType(mediaType: string): string {
  const type = TO_DOCKER.get(mediaType);
  if (type !== undefined) return type;
  const why = isEncrypted(mediaType)
    ? "is encrypted"
    : mediaType.endsWith("+zstd")
      ? "is compressed with zstd"
      : "has no counterpart there";
  throw rejected(`docker's manifests cannot name a layer of type \`${mediaType}\`: it ${why}`);
}
