// Images as liars hand them out: under a name need not be what the name says. Each is served by a registry, and lies in a layout and in
// a folder.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf, parseDigest, type Digest } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import { fileOf, manifestFile } from "../../src/transport/dir-names.ts";
import type { TestImage, TestList } from "../support/images.ts";
import type { TestRegistry } from "../support/registry.ts";

export interface HostileImage {
  /** What the reference names. */
  readonly top: RawManifest;
  /** By the digest under which they are kept, right or wrong. */
  readonly manifests: ReadonlyMap<string, RawManifest>;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

/** An image, or a list with all its images, without a lie. */
export function honest(of: TestImage | TestList): HostileImage {
  const images = "images" in of ? of.images : [of];
  return {
    top: of.manifest,
    manifests: new Map(images.map(({ digest, manifest }) => [digest as string, manifest])),
    blobs: new Map(images.flatMap(({ blobs }) => [...blobs])),
  };
}

/** The image with another manifest. */
export const withTop = (
  image: HostileImage,
  mediaType: string,
  bytes: Buffer | string | object,
): HostileImage => ({ ...image, top: rawOf(mediaType, bytes) });

export const rawOf = (mediaType: string, bytes: Buffer | string | object): RawManifest => ({
  mediaType,
  bytes:
    Buffer.isBuffer(bytes) || typeof bytes === "string"
      ? Buffer.from(bytes)
      : Buffer.from(JSON.stringify(bytes)),
});

/** Where an image can be read from. `wholeDigests`: all that is read there is read by digest, the top manifest too. */
export const SOURCES = ["docker", "oci", "dir"] as const;
export type SourceKind = (typeof SOURCES)[number];

/** Puts the image where it can be read from, and returns its reference. `name`: nobody else's. */
export async function place(
  kind: SourceKind,
  image: HostileImage,
  name: string,
  { dataDir, registry }: { readonly dataDir: string; readonly registry: TestRegistry },
): Promise<string> {
  if (kind === "docker") return inRegistry(image, name, registry);
  const files = kind === "oci" ? layoutOf(image) : folderOf(image);
  for (const [path, bytes] of files) {
    const file = join(dataDir, name, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
  return kind === "oci" ? `oci:${name}:v1` : `dir:${name}`;
}

function inRegistry(image: HostileImage, name: string, registry: TestRegistry): string {
  for (const [digest, bytes] of image.blobs)
    registry.content.addBlob(name, digest as Digest, bytes);
  for (const [digest, manifest] of image.manifests)
    registry.content.forgeManifest(name, digest, manifest);
  registry.content.forgeManifest(name, "v1", image.top);
  return `docker://${registry.host}/${name}:v1`;
}

const layoutPath = (digest: string) => `blobs/${digest.replace(":", "/")}`;

/** The files of an OCI layout. */
export function layoutOf({ top, manifests, blobs }: HostileImage): ReadonlyMap<string, Buffer> {
  const digest = digestOf(top.bytes);
  const entry = {
    mediaType: top.mediaType,
    digest,
    size: top.bytes.length,
    annotations: { "org.opencontainers.image.ref.name": "v1" },
  };
  return new Map([
    ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ["index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [entry] }))],
    [layoutPath(digest), top.bytes],
    ...[...manifests].map(([name, { bytes }]) => [layoutPath(name), bytes] as const),
    ...[...blobs].map(([name, bytes]) => [layoutPath(name), bytes] as const),
  ]);
}

function folderOf({ top, manifests, blobs }: HostileImage): ReadonlyMap<string, Buffer> {
  const named = (digest: string) => parseDigest(digest) as Digest;
  return new Map([
    ["version", Buffer.from("Directory Transport Version: 1.1\n")],
    ["manifest.json", top.bytes],
    ...[...manifests].map(([name, { bytes }]) => [manifestFile(named(name)), bytes] as const),
    ...[...blobs].map(([name, bytes]) => [fileOf(named(name)), bytes] as const),
  ]);
}
