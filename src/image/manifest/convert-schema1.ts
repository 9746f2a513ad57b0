// Between schema 1 and schema 2 (semantics 3.7.1, 3.7.2). Schema 1 has a layer for each step of the history, empty ones for steps that
// changed no file; schema 2 has those only that are not empty.

import { digestOf, type Digest } from "../digest.ts";
import { DOCKER_CONFIG, DOCKER_LAYER } from "../media-types.ts";
import { known, type Schema1Draft, type Schema2Draft } from "./draft.ts";
import { EMPTY_LAYER } from "./empty-layer.ts";
import { rejected } from "./refused.ts";
import { configOf, schema1Of } from "./schema1-config.ts";
import { v1CompatibilityOf } from "./schema1.ts";
import { checkCount, type LayerUpdate } from "./updates.ts";

/** `diffIds`: the digests of the layers uncompressed, one a layer, root first, of empty ones too. */
export function schema1ToSchema2(
  draft: Schema1Draft,
  diffIds: readonly Digest[] | undefined,
): Schema2Draft {
  const { manifest, updates } = draft;
  if (diffIds === undefined)
    throw rejected(
      "docker schema 1 does not tell the digests of its layers uncompressed, which other types need, and they were not computed",
    );
  // It does not tell sizes either.
  if (updates === undefined) throw new Error("the updates tell the sizes of schema 1 layers");
  checkCount(manifest.entries.length, updates.length);
  checkCount(manifest.entries.length, diffIds.length);
  const kept = manifest.entries
    .map((entry, i) => ({ entry, ...v1CompatibilityOf(entry, i) }))
    .toReversed()
    .flatMap(({ entry, throwaway }, i) => {
      const [update, diffId] = [updates[i], diffIds[i]];
      return throwaway || update === undefined || diffId === undefined
        ? []
        : [{ digest: entry.blobSum, update, diffId }];
    });
  const config = configOf(
    manifest.entries,
    kept.map(({ diffId }) => diffId),
  );
  return {
    format: "schema2",
    manifest: {
      config: { mediaType: DOCKER_CONFIG, digest: digestOf(config), size: config.length },
      layers: kept.map(({ digest, update: { size } }) => ({
        mediaType: `${DOCKER_LAYER}.gzip`,
        digest,
        size,
      })),
    },
    updates: kept.map(({ update }) => update),
    config,
    newConfig: true,
  };
}

/** The image has no name yet. */
export function schema2ToSchema1({ manifest, config, updates }: Schema2Draft): Schema1Draft {
  const { layers } = manifest;
  if (updates) checkCount(layers.length, updates.length);
  const { architecture, entries, layersOf } = schema1Of(
    known(config),
    layers.map(({ digest }) => digest),
  );
  const updateOf = (layer: number | undefined) =>
    (layer === undefined ? undefined : updates?.[layer]) ?? EMPTY_UPDATE;
  return {
    format: "schema1",
    manifest: { name: "", tag: "", architecture, entries },
    updates: updates && layersOf.map(updateOf),
    config: undefined,
    newConfig: false,
  };
}

const EMPTY_UPDATE: LayerUpdate = {
  digest: EMPTY_LAYER.digest,
  size: EMPTY_LAYER.bytes.length,
  operation: "preserve",
};
