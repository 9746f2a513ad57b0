// Samples: whatever a reference can name, with all that hangs on it, as values. Made here for tests, and read back from any place by
// readings.ts. More ways to be odd than images.ts has, which is for tests that only need an image.

import { digestOf, type Algorithm, type Digest } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import type { Platform } from "../../src/image/platform.ts";
import { makePackedLayer, type Packing } from "./layers.ts";

export interface Sample {
  /** What the reference names. */
  readonly root: RawManifest;
  /** The manifests that the root names, as far as they are there. */
  readonly manifests: ReadonlyMap<Digest, RawManifest>;
  readonly blobs: ReadonlyMap<Digest, Buffer>;
  /** Of the root (""), and of images of a list. */
  readonly signatures: ReadonlyMap<Digest | "", readonly Buffer[]>;
}

export type Family = "oci" | "docker";

export interface LayerOptions {
  /** Default: gzip. */
  readonly packing?: Packing;
  /** Default: the one that fits. */
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Two layers of one seed are one blob. Default: the image's and the place in it. */
  readonly seed?: string;
  /** Any bytes, instead of a tar. */
  readonly bytes?: Buffer;
  /** Says where the layer is; it is not among the image's blobs then. */
  readonly publish?: (bytes: Buffer) => string;
}

export interface SampleOptions {
  readonly seed: string;
  readonly family?: Family;
  /** Default: two of gzip. */
  readonly layers?: readonly LayerOptions[];
  readonly platform?: Platform;
  /** More fields of the config, of its `config`, and of the manifest. */
  readonly config?: object;
  readonly settings?: object;
  readonly manifest?: object;
  /** Of config and layers. */
  readonly algorithm?: Algorithm;
}

interface Blob {
  readonly bytes: Buffer;
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
  };
}

export const AMD64: Platform = { os: "linux", architecture: "amd64" };

/** An image as a builder makes it: each layer has its line in the history, and there is one that changed no file. */
export function makeSample(options: SampleOptions): Sample {
  const { seed, family = "oci", layers = [{}, {}], platform = AMD64 } = options;
  const made = layers.map((layer, i) =>
    makeLayer(family, { seed: `${seed}/${i}`, ...layer }, options.algorithm),
  );
  const config = Buffer.from(
    JSON.stringify({
      architecture: platform.architecture,
      config: { Env: ["PATH=/usr/bin:/bin"], Labels: { seed }, ...options.settings },
      created: "2024-01-01T00:00:00Z",
      history: [
        ...made.map((_, i) => ({ created: "2024-01-01T00:00:00Z", created_by: `ADD layer ${i}` })),
        { created: "2024-01-01T00:00:00Z", created_by: "CMD true", empty_layer: true },
      ],
      os: platform.os,
      ...(platform.variant !== undefined && { variant: platform.variant }),
      ...(platform["os.version"] !== undefined && { "os.version": platform["os.version"] }),
      rootfs: { type: "layers", diff_ids: made.map(({ diffId }) => diffId) },
      ...options.config,
    }),
  );
  return assemble(
    family,
    blobOf(config, family === "oci" ? OCI_CONFIG : DOCKER_CONFIG, options.algorithm),
    made,
    options.manifest,
  );
}

/** A manifest that is no image: a config that means nothing, and blobs of a type that nobody unpacks. */
export function makeArtifact(seed: string, type: string, manifest: object = {}): Sample {
  const config = blobOf(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const content = blobOf(Buffer.from(`{"seed":"${seed}"}`), type);
  return assemble("oci", config, [content], { artifactType: type, ...manifest });
}

function assemble(
  family: Family,
  config: Blob,
  layers: readonly (Blob & { readonly elsewhere?: boolean })[],
  more: object = {},
): Sample {
  const root = toManifest(family === "oci" ? OCI_MANIFEST : SCHEMA2, {
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    ...more,
  });
  const here = [config, ...layers.filter(({ elsewhere }) => elsewhere !== true)];
  const blobs = new Map(here.map(({ descriptor, bytes }) => [descriptor.digest, bytes] as const));
  return { root, manifests: new Map(), blobs, signatures: new Map() };
}

export interface ListEntry {
  readonly sample: Sample;
  /** Absent: the entry names none. */
  readonly platform?: Platform;
  /** More fields of the entry. */
  readonly entry?: object;
  /** The list names it, but it is not there. */
  readonly absent?: boolean;
  readonly algorithm?: Algorithm;
}

export function makeSampleList(
  entries: readonly ListEntry[],
  family: Family = "oci",
  more: object = {},
): Sample {
  const named = entries.map((entry) => ({
    ...entry,
    digest: digestOf(entry.sample.root.bytes, entry.algorithm),
  }));
  const root = toManifest(family === "oci" ? OCI_INDEX : DOCKER_LIST, {
    manifests: named.map(({ sample, platform, entry, digest }) => ({
      mediaType: sample.root.mediaType,
      digest,
      size: sample.root.bytes.length,
      ...(platform !== undefined && { platform }),
      ...entry,
    })),
    ...more,
  });
  const there = named.filter(({ absent }) => absent !== true);
  return {
    root,
    manifests: new Map(
      there.flatMap(({ sample, digest }) => [[digest, sample.root] as const, ...sample.manifests]),
    ),
    blobs: new Map(there.flatMap(({ sample }) => [...sample.blobs])),
    signatures: new Map(
      there.flatMap(({ sample, digest }) =>
        [...sample.signatures].map(([, signatures]) => [digest, signatures] as const),
      ),
    ),
  };
}

/** The same sample with signatures of its root. */
export const withSignatures = (sample: Sample, signatures: readonly Buffer[]): Sample => ({
  ...sample,
  signatures: new Map([...sample.signatures, ["" as const, signatures]]),
});

const LAYER_TYPES: Readonly<Record<Family, Readonly<Record<Packing, string>>>> = {
  oci: {
    none: OCI_LAYER,
    gzip: `${OCI_LAYER}+gzip`,
    zstd: `${OCI_LAYER}+zstd`,
    "zstd:chunked": `${OCI_LAYER}+zstd`,
    // There is no type for these; this is what is found.
    bzip2: OCI_LAYER,
    xz: OCI_LAYER,
  },
  docker: {
    none: DOCKER_LAYER,
    gzip: `${DOCKER_LAYER}.gzip`,
    zstd: `${DOCKER_LAYER}.zstd`,
    "zstd:chunked": `${DOCKER_LAYER}.zstd`,
    bzip2: DOCKER_LAYER,
    xz: DOCKER_LAYER,
  },
};

function makeLayer(
  family: Family,
  options: LayerOptions & { readonly seed: string },
  algorithm: Algorithm | undefined,
): Blob & { readonly diffId: Digest; readonly elsewhere: boolean } {
  const { packing = "gzip", seed, publish } = options;
  const made =
    options.bytes === undefined
      ? makePackedLayer(seed, packing)
      : { bytes: options.bytes, diffId: digestOf(options.bytes) };
  const { bytes, descriptor } = blobOf(
    made.bytes,
    options.mediaType ?? LAYER_TYPES[family][packing],
    algorithm,
  );
  const annotations = { ...made.annotations, ...options.annotations };
  return {
    bytes,
    diffId: made.diffId,
    elsewhere: publish !== undefined,
    descriptor: {
      ...descriptor,
      ...(publish !== undefined && { urls: [publish(bytes)] }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
  };
}

const blobOf = (bytes: Buffer, mediaType: string, algorithm?: Algorithm): Blob => ({
  bytes,
  descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length },
});

export function toManifest(mediaType: string, fields: object): RawManifest {
  return {
    mediaType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields })),
  };
}
