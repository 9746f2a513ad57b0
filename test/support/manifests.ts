// Manifests of blobs that are nothing but names, for tests of what becomes of manifests.

import { digestOf } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import type { LayerUpdate } from "../../src/image/manifest/updates.ts";
import { DOCKER_CONFIG, OCI_CONFIG, SCHEMA2 } from "../../src/image/media-types.ts";

export const digest = (name: string) => digestOf(Buffer.from(name));

export const entry = (mediaType: string, name = mediaType, more: object = {}) => ({
  mediaType,
  digest: digest(name),
  size: name.length,
  ...more,
});

/** An image of schema 2 or OCI, with a field that nobody knows. */
export const imageManifest = (
  mediaType: string,
  layers: readonly object[],
  more: object = {},
): RawManifest => ({
  mediaType,
  bytes: Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: entry(mediaType === SCHEMA2 ? DOCKER_CONFIG : OCI_CONFIG),
      layers,
      extension: "lost",
      ...more,
    }),
  ),
});

export const update = (name: string, more: Partial<LayerUpdate> = {}): LayerUpdate => ({
  digest: digest(name),
  size: name.length,
  operation: "preserve",
  ...more,
});

export const documentOf = ({ bytes }: Pick<RawManifest, "bytes">) => JSON.parse(bytes.toString());
