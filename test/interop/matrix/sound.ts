// Whether a copy is whole: every digest, size and diffID in it is true.

import { algorithmOf, digestOf, type Digest } from "../../../src/image/digest.ts";
import type { RawManifest } from "../../../src/image/manifest/manifest.ts";
import { unpack } from "../../support/layers.ts";
import { documentOf, type Named } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";

/** What is not as it should be; undefined: nothing. `source` excuses what was missing there, and diffIDs that were false there. */
export function faultIn(sample: Sample, source: Sample): string | undefined {
  for (const [digest, bytes] of sample.blobs)
    if (digestOf(bytes, algorithmOf(digest)) !== digest) return `${digest} has other bytes`;
  for (const [digest, { bytes }] of sample.manifests)
    if (digestOf(bytes, algorithmOf(digest)) !== digest) return `${digest} has other bytes`;
  const wasThere = source.blobs.size > 0;
  for (const manifest of [sample.root, ...sample.manifests.values()]) {
    const fault = faultOf(manifest, sample);
    if (fault !== undefined && wasThere) return fault;
  }
  return undefined;
}

function faultOf(manifest: RawManifest, { blobs }: Sample): string | undefined {
  const { config, layers = [] } = documentOf(manifest);
  for (const named of [...(config === undefined ? [] : [config]), ...layers]) {
    const bytes = blobs.get(named.digest);
    if (bytes === undefined) {
      if (named.urls === undefined) return `${named.digest} is missing`;
    } else if (bytes.length !== named.size)
      return `${named.digest} has ${bytes.length} bytes, not ${named.size}`;
  }
  return diffIdFault(layers, config && blobs.get(config.digest), blobs);
}

/** What bzip2 and xz begin with. */
const UNREADABLE = /^(BZh|\xfd7zXZ)/;

/** The layers' own diffIDs against those of the config, where both can be known. */
function diffIdFault(
  layers: readonly Named[],
  config: Buffer | undefined,
  blobs: ReadonlyMap<Digest, Buffer>,
): string | undefined {
  const { rootfs } = JSON.parse(config?.toString() ?? "{}") as {
    rootfs?: { diff_ids?: readonly Digest[] };
  };
  for (const [i, diffId] of (rootfs?.diff_ids ?? []).entries()) {
    const { digest, mediaType } = layers[i] as Named;
    const bytes = blobs.get(digest);
    if (bytes === undefined || !/tar(\.gzip|\.zstd|\+gzip|\+zstd)?$/.test(mediaType)) continue;
    const found = unpack(bytes)?.bytes ?? bytes;
    if (UNREADABLE.test(found.toString("latin1", 0, 8))) continue;
    if (digestOf(found) !== diffId) return `layer ${i} is ${digestOf(found)}, not ${diffId}`;
  }
  return undefined;
}
