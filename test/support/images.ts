// Images and lists for tests: deterministic, so that a digest in a failure means the same on every machine.

import { createCipheriv, createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Descriptor } from "../../src/image/blob-info.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
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

export interface TestImage {
  readonly manifest: RawManifest;
  readonly digest: Digest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Config and layers. */
  readonly blobs: ReadonlyMap<Digest, Buffer>;
  readonly platform: Platform;
}

export interface TestList {
  readonly manifest: RawManifest;
  readonly digest: Digest;
  readonly images: readonly TestImage[];
}

export interface ImageOptions {
  /** How many small real layers (gzipped tars), or the exact sizes in bytes of layers that only look like gzip. Default 2. */
  readonly layers?: number | readonly number[];
  readonly mediaTypes?: "oci" | "docker";
  /** Of small real layers; default gzip. */
  readonly compression?: "gzip" | "zstd" | "none";
  readonly platform?: Platform;
  /** Another seed, other bytes. */
  readonly seed?: string;
  /** What the config says besides, or instead. */
  readonly config?: object;
}

export function makeImage(options: ImageOptions = {}): TestImage {
  const {
    layers = 2,
    mediaTypes = "oci",
    compression = "gzip",
    platform = { os: "linux", architecture: "amd64" },
    seed = "",
    config: more = {},
  } = options;
  const docker = mediaTypes === "docker";
  const made = (
    typeof layers === "number" ? Array.from({ length: layers }, () => undefined) : layers
  ).map((size, i) => makeLayer(`${seed}/${i}`, size, compression));
  const config = Buffer.from(
    JSON.stringify({
      created: "2024-01-01T00:00:00Z",
      ...platform,
      config: { Labels: { seed } },
      rootfs: { type: "layers", diff_ids: made.map((layer) => layer.diffId) },
      history: made.map((_, i) => ({ created: "2024-01-01T00:00:00Z", created_by: `layer ${i}` })),
      ...more,
    }),
  );
  const configDescriptor = descriptorOf(config, docker ? DOCKER_CONFIG : OCI_CONFIG);
  const descriptors = made.map(({ bytes }) => descriptorOf(bytes, layerType(docker, compression)));
  const manifest = toManifest(docker ? SCHEMA2 : OCI_MANIFEST, {
    config: configDescriptor,
    layers: descriptors,
  });
  const blobs = new Map<Digest, Buffer>([[configDescriptor.digest, config]]);
  for (const { bytes } of made) blobs.set(digestOf(bytes), bytes);
  return {
    manifest,
    digest: digestOf(manifest.bytes),
    config: configDescriptor,
    layers: descriptors,
    blobs,
    platform,
  };
}

export function makeList(
  images: readonly TestImage[],
  mediaTypes: "oci" | "docker" = "oci",
): TestList {
  const manifests = images.map(({ manifest, digest, platform }) => ({
    mediaType: manifest.mediaType,
    digest,
    size: manifest.bytes.length,
    platform,
  }));
  const manifest = toManifest(mediaTypes === "docker" ? DOCKER_LIST : OCI_INDEX, { manifests });
  return { manifest, digest: digestOf(manifest.bytes), images };
}

/** `size` bytes that depend on the seed alone. */
export function seededBytes(seed: string, size: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

const layerType = (docker: boolean, compression: NonNullable<ImageOptions["compression"]>) =>
  (docker ? DOCKER_LAYER : OCI_LAYER) +
  (compression === "none" ? "" : `${docker ? "." : "+"}${compression}`);

const COMPRESS = {
  gzip: (tar: Buffer) => gzipSync(tar),
  zstd: (tar: Buffer) => zstdCompressSync(tar),
  none: (tar: Buffer) => tar,
} as const;

function makeLayer(
  seed: string,
  size: number | undefined,
  compression: NonNullable<ImageOptions["compression"]>,
): { bytes: Buffer; diffId: Digest } {
  if (size === undefined) {
    const tar = makeTar(
      `layer-${seed.replaceAll("/", "-")}.txt`,
      seededBytes(seed, 500).toString("base64"),
    );
    return { bytes: COMPRESS[compression](tar), diffId: digestOf(tar) };
  }
  const bytes = seededBytes(seed, size);
  Buffer.from([0x1f, 0x8b, 0x08]).copy(bytes);
  return { bytes, diffId: digestOf(bytes) };
}

/** A tar archive (ustar) of one file. */
function makeTar(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) =>
    value.toString(8).padStart(length - 1, "0") + "\0";
  header.write(name.slice(-100), 0);
  header.write(
    octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(0, 12),
    100,
  );
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ) + " ",
    148,
  );
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

const descriptorOf = (bytes: Buffer, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

function toManifest(mediaType: string, fields: object): RawManifest {
  return {
    mediaType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields })),
  };
}
