// Docker archives for tests, as the engine has written them.

import { fromBuffer } from "../../src/bytes.ts";
import type { Destination, Source } from "../../src/copy/interfaces.ts";
import type { NamedBlob } from "../../src/image/blob-info.ts";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { DOCKER_CONFIG, DOCKER_LAYER, SCHEMA2 } from "../../src/image/media-types.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { collect } from "./bytes.ts";
import { accessTo, never, openDestination, openSource } from "./folders.ts";
import { makeImage } from "./images.ts";
import { makeTar, plain, type TarMember } from "./raw-tar.ts";

/** An image as archives have it: its layers are not compressed. */
export interface PlainImage {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
  /** The manifest that is made of it. */
  readonly manifest: RawManifest;
}

export function makePlainImage(seed: string, layers = 2): PlainImage {
  const image = makeImage({ mediaTypes: "docker", layers, seed });
  const bytesOf = (digest: Digest) => image.blobs.get(digest) as Buffer;
  const config = bytesOf(image.config.digest);
  const plainLayers = image.layers.map(({ digest }) => plain(bytesOf(digest)));
  return plainImage(config, plainLayers);
}

export const plainImage = (config: Buffer, layers: readonly Buffer[]): PlainImage => ({
  config,
  layers,
  manifest: manifestFor(config, layers),
});

const manifestFor = (config: Buffer, layers: readonly Buffer[]): RawManifest => ({
  mediaType: SCHEMA2,
  bytes: Buffer.from(
    `{"schemaVersion":2,"mediaType":"${SCHEMA2}","config":{"mediaType":"${DOCKER_CONFIG}","size":${config.length},"digest":"${digestOf(config)}"},"layers":[${layers
      .map(
        (layer) =>
          `{"mediaType":"${DOCKER_LAYER}.gzip","size":${layer.length},"digest":"${digestOf(layer)}"}`,
      )
      .join(",")}]}`,
  ),
});

const hex = (bytes: Buffer) => hexOf(digestOf(bytes));

interface Saved {
  readonly image: PlainImage;
  readonly tags: readonly string[] | null;
}

/** As docker before 25: a folder for each layer, whose second copy is a link to the first, and what docker 1.0 wanted besides. */
export function oldSave(images: readonly Saved[]): Buffer {
  const members: TarMember[] = [];
  const written = new Map<string, string>();
  const items = images.map(({ image, tags }, i) => {
    const layers = image.layers.map((layer, j) => {
      const name = `${hex(Buffer.from(`${i}/${j}`))}/layer.tar`;
      const first = written.get(hex(layer));
      members.push({ name: name.replace("layer.tar", ""), type: "5" });
      members.push({ name: name.replace("layer.tar", "VERSION"), content: "1.0" });
      if (first === undefined) members.push({ name, content: layer });
      else members.push({ name, type: "2", linkName: `../${first}` });
      written.set(hex(layer), name);
      return name;
    });
    members.push({ name: `${hex(image.config)}.json`, content: image.config });
    return { Config: `${hex(image.config)}.json`, RepoTags: tags, Layers: layers };
  });
  members.push({ name: "manifest.json", content: JSON.stringify(items) });
  members.push({ name: "repositories", content: "{}" });
  return makeTar(members);
}

/** As docker since 25: an OCI layout, and a manifest.json that names its blobs. `pack`: how the layers are kept. */
export function newSave(
  images: readonly Saved[],
  pack: (layer: Buffer) => Buffer = (layer) => layer,
): Buffer {
  const blobs = new Map<string, Buffer>();
  const put = (bytes: Buffer): string => {
    blobs.set(`blobs/sha256/${hex(bytes)}`, bytes);
    return `blobs/sha256/${hex(bytes)}`;
  };
  const items = images.map(({ image, tags }) => ({
    Config: put(image.config),
    RepoTags: tags,
    Layers: image.layers.map((layer) => put(pack(layer))),
    LayerSources: {},
  }));
  return makeTar([
    { name: "blobs/", type: "5" },
    { name: "blobs/sha256/", type: "5" },
    ...Array.from(blobs, ([name, content]) => ({ name, content })),
    { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
    { name: "manifest.json", content: JSON.stringify(items) },
    { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}

export const sourceOf = (
  dataDir: string,
  reference: string,
  more: Partial<AccessContext> = {},
): Promise<Source> => openSource(reference, accessTo(dataDir, "source", more));

export const destinationOf = (
  dataDir: string,
  reference: string,
  more: Partial<AccessContext> = {},
): Promise<Destination> => openDestination(reference, accessTo(dataDir, "destination", more));

/** Manifest, config and layers as a source gives them. */
export async function read(source: Source): Promise<PlainImage> {
  const manifest = await source.getManifest(undefined, never);
  const { config, layers } = parseImage(manifest);
  if (config === undefined) throw new Error("no config");
  const bytes = async (blob: NamedBlob) => collect((await source.getBlob(blob, never)).content);
  return {
    manifest,
    config: await bytes(config),
    layers: await Promise.all(layers.map(bytes)),
  };
}

/** Puts the layers, whose digests are not known before, then config and manifest; no commit. */
export async function put(destination: Destination, image: PlainImage): Promise<void> {
  for (const layer of image.layers)
    await destination.putBlob(
      { content: fromBuffer(layer), info: { mediaType: `${DOCKER_LAYER}.gzip` } },
      never,
    );
  const info = { mediaType: DOCKER_CONFIG, digest: digestOf(image.config) };
  await destination.putBlob({ content: fromBuffer(image.config), info }, never);
  await destination.putManifest(image.manifest, undefined, never);
}
