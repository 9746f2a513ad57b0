// Conversions with skopeo as their judge: the same image, converted by it and by us.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { CopyError } from "../../src/errors.ts";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import { editManifest, type ManifestEdit } from "../../src/image/manifest/edit.ts";
import { manifestDigest, type RawManifest } from "../../src/image/manifest/manifest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { payloadOf } from "../../src/image/manifest/schema1-signature.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_MANIFEST,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { skopeo } from "./peers.ts";

/** skopeo's words for them. */
export const FORMATS = {
  [OCI_MANIFEST]: "oci",
  [SCHEMA2]: "v2s2",
  [SCHEMA1_SIGNED]: "v2s1",
} as const;
export type Target = keyof typeof FORMATS;

/** An image with all its blobs. */
export interface Made {
  readonly manifest: RawManifest;
  readonly config: Buffer | undefined;
  readonly blobs: readonly Buffer[];
}

export const plain: readonly Buffer[] = [
  Buffer.from("one layer"),
  Buffer.from("another layer"),
  Buffer.from("a third"),
];
export const gzipped: readonly Buffer[] = plain.map((bytes) => gzipSync(bytes));

/** An image with up to three layers of these types. */
export function makeManifest(
  mediaType: string,
  config: string,
  types: readonly string[],
  more: { readonly manifest?: object; readonly config?: object; readonly layer?: object } = {},
): Made {
  const bytes = Buffer.from(config);
  const layers = types.map((type, i) => (/gzip/.test(type) ? gzipped : plain)[i] as Buffer);
  const document = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: mediaType === SCHEMA2 ? DOCKER_CONFIG : OCI_CONFIG,
      digest: digestOf(bytes),
      size: bytes.length,
      ...more.config,
    },
    layers: layers.map((layer, i) => ({
      mediaType: types[i],
      digest: digestOf(layer),
      size: layer.length,
      ...more.layer,
    })),
    ...more.manifest,
  };
  return {
    manifest: { mediaType, bytes: Buffer.from(JSON.stringify(document, undefined, 2)) },
    config: bytes,
    blobs: [bytes, ...layers],
  };
}

/** An image as a `dir:` of skopeo's. */
export async function inFolder(
  image: Pick<Made, "manifest" | "blobs">,
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "transship-convert-"));
  await writeFile(join(path, "version"), "Directory Transport Version: 1.1\n");
  await writeFile(join(path, "manifest.json"), image.manifest.bytes);
  for (const blob of image.blobs) await writeFile(join(path, hexOf(digestOf(blob))), blob);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** What skopeo makes of an image in a folder; throws what it says. */
export async function bySkopeo(image: Made, target: Target, ...options: string[]): Promise<Made> {
  await using source = await inFolder(image);
  const destination = join(source.path, "destination");
  const ends = [`dir:${source.path}`, `dir:${destination}`];
  await skopeo("copy", "--format", FORMATS[target], ...options, ...ends);
  const read = (digest: Digest) => readFile(join(destination, hexOf(digest)));
  const bytes = await readFile(join(destination, "manifest.json"));
  const manifest = { mediaType: target, bytes };
  const { config, layers } = parseImage(manifest);
  const text = config && (await read(config.digest));
  const blobs = await Promise.all(layers.map(({ digest }) => read(digest)));
  return { manifest, config: text, blobs: text === undefined ? blobs : [text, ...blobs] };
}

/** Both make the same of it: of schema 1 what is signed, for the signatures are by random keys. */
export async function assertSame(
  image: Made,
  target: Target,
  edit: ManifestEdit = {},
  ...options: string[]
) {
  const theirs = await bySkopeo(image, target, ...options);
  const ours = editManifest(image.manifest, { mediaType: target, ...edit }, image.config);
  const bytes = target === SCHEMA1_SIGNED ? payloadOf : (manifest: Buffer) => manifest;
  const config = ours.config?.bytes ?? (target === SCHEMA1_SIGNED ? undefined : image.config);
  assert.equal(config?.toString(), theirs.config?.toString());
  assert.equal(bytes(ours.manifest.bytes).toString(), bytes(theirs.manifest.bytes).toString());
  assert.equal(manifestDigest(ours.manifest), manifestDigest(theirs.manifest));
  assert.equal(ours.manifest.mediaType, target);
  return ours;
}

/** Neither makes anything of it; we say why in these words. */
export async function assertRefused(image: Made, target: Target, words: RegExp) {
  await assert.rejects(bySkopeo(image, target));
  assert.throws(
    () => editManifest(image.manifest, { mediaType: target }, image.config),
    (error) => error instanceof CopyError && words.test(error.message),
  );
}

/** A schema 2 image with this text for its config. */
export const docker = (config: string, types = [`${DOCKER_LAYER}.gzip`]): Made =>
  makeManifest(SCHEMA2, config, types);
