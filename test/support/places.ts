// Puts samples where each transport looks for them, as the formats' papers say (semantics 7.3 to 7.9), apart from src.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { isSchema1 } from "../../src/image/media-types.ts";
import { unpack } from "./layers.ts";
import type { TestRegistry } from "./registry.ts";
import { schema1Payload } from "./schema1.ts";
import { toManifest, type Sample } from "./samples.ts";
import { packTar } from "./tar.ts";

/** By path. */
export type Files = ReadonlyMap<string, Buffer>;

export const digestOfManifest = ({ bytes, mediaType }: Sample["root"]): Digest =>
  digestOf(isSchema1(mediaType) ? schema1Payload(bytes) : bytes);

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

export function putSample(
  registry: TestRegistry,
  repository: string,
  tag: string,
  sample: Sample,
): void {
  const { content } = registry;
  for (const [digest, bytes] of sample.blobs) content.addBlob(repository, digest, bytes);
  for (const [digest, manifest] of sample.manifests)
    content.place(repository, digest, { ...manifest, digest });
  content.place(repository, tag, { ...sample.root, digest: digestOfManifest(sample.root) });
}

/** `blobs`: where blobs go, if not into the layout's own folder; the result has them under that name. */
export function layoutFiles(sample: Sample, name?: string, blobs = "blobs"): Files {
  const fileOf = (digest: Digest) => `${blobs}/${digest.replace(":", "/")}`;
  const root = digestOf(sample.root.bytes);
  const entry = {
    mediaType: sample.root.mediaType,
    digest: root,
    size: sample.root.bytes.length,
    ...(name !== undefined && { annotations: { "org.opencontainers.image.ref.name": name } }),
  };
  return new Map([
    ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    [
      "index.json",
      toManifest("application/vnd.oci.image.index.v1+json", { manifests: [entry] }).bytes,
    ],
    [fileOf(root), sample.root.bytes],
    ...[...sample.manifests].map(([digest, { bytes }]) => [fileOf(digest), bytes] as const),
    ...[...sample.blobs].map(([digest, bytes]) => [fileOf(digest), bytes] as const),
  ]);
}

export function dirFiles(sample: Sample): Files {
  const plain = (digest: Digest) => digest.replace(/^sha256:/, "").replace(":", "-");
  const all = [...sample.manifests.keys(), ...sample.blobs.keys()];
  const version = all.some((digest) => !digest.startsWith("sha256:")) ? "1.2" : "1.1";
  return new Map([
    ["version", Buffer.from(`Directory Transport Version: ${version}\n`)],
    ["manifest.json", sample.root.bytes],
    ...[...sample.manifests].map(
      ([digest, { bytes }]) => [`${plain(digest)}.manifest.json`, bytes] as const,
    ),
    ...[...sample.blobs].map(([digest, bytes]) => [plain(digest), bytes] as const),
    ...[...sample.signatures].flatMap(([digest, signatures]) =>
      signatures.map((bytes, i) => {
        const prefix = digest === "" ? "" : `${plain(digest)}.`;
        return [`${prefix}signature-${i + 1}`, bytes] as const;
      }),
    ),
  ]);
}

/** An image as `docker save` takes it. */
export interface SavedImage {
  readonly sample: Sample;
  /** `repository:tag`; none: saved by its id. */
  readonly names: readonly string[];
}

interface Parts {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
}

/** The config and the uncompressed layers. */
function partsOf({ root, blobs }: Sample): Parts {
  const { config, layers } = JSON.parse(root.bytes.toString()) as {
    config: { digest: Digest };
    layers: { digest: Digest }[];
  };
  const layer = ({ digest }: { digest: Digest }) => {
    const bytes = blobs.get(digest) as Buffer;
    return unpack(bytes)?.bytes ?? bytes;
  };
  return { config: blobs.get(config.digest) as Buffer, layers: layers.map(layer) };
}

const hex = (bytes: Buffer): string => digestOf(bytes).slice("sha256:".length);

/** What `docker save` wrote before version 25: a folder a layer, named after ids that nobody needs any more. */
export function savedBefore25(images: readonly SavedImage[]): Buffer {
  const files = new Map<string, Buffer>();
  const repositories: Record<string, Record<string, string>> = {};
  const manifest = images.map(({ sample, names }) => {
    const { config, layers } = partsOf(sample);
    const ids = layers.map((layer, i) => hex(Buffer.from(`${i} ${hex(layer)}`)));
    layers.forEach((layer, i) => {
      files.set(`${ids[i]}/VERSION`, Buffer.from("1.0"));
      files.set(`${ids[i]}/json`, Buffer.from(JSON.stringify({ id: ids[i], parent: ids[i - 1] })));
      files.set(`${ids[i]}/layer.tar`, layer);
    });
    files.set(`${hex(config)}.json`, config);
    for (const name of names) {
      const colon = name.lastIndexOf(":");
      const tags = (repositories[name.slice(0, colon)] ??= {});
      tags[name.slice(colon + 1)] = ids.at(-1) ?? "";
    }
    return {
      Config: `${hex(config)}.json`,
      RepoTags: names.length === 0 ? null : names,
      Layers: ids.map((id) => `${id}/layer.tar`),
    };
  });
  files.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  files.set("repositories", Buffer.from(JSON.stringify(repositories)));
  return packFiles(files);
}

/** What `docker save` writes since version 25: a layout as well, whose blobs the manifest.json names. */
export function savedSince25(images: readonly SavedImage[]): Buffer {
  const files = new Map<string, Buffer>([
    ["oci-layout", Buffer.from('{"imageLayoutVersion": "1.0.0"}')],
  ]);
  const keep = (bytes: Buffer) => {
    const path = `blobs/sha256/${hex(bytes)}`;
    files.set(path, bytes);
    return { path, digest: digestOf(bytes), size: bytes.length };
  };
  const entries: object[] = [];
  const manifest = images.map(({ sample, names }) => {
    const { config, layers } = partsOf(sample);
    const keptConfig = keep(config);
    const keptLayers = layers.map(keep);
    const { bytes, mediaType } = toManifest("application/vnd.oci.image.manifest.v1+json", {
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...withoutPath(keptConfig) },
      layers: keptLayers.map((layer) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        ...withoutPath(layer),
      })),
    });
    entries.push({ mediaType, ...withoutPath(keep(bytes)) });
    return {
      Config: keptConfig.path,
      RepoTags: names.length === 0 ? null : names,
      Layers: keptLayers.map(({ path }) => path),
      LayerSources: Object.fromEntries(
        keptLayers.map((layer) => [
          layer.digest,
          { mediaType: "application/vnd.oci.image.layer.v1.tar", ...withoutPath(layer) },
        ]),
      ),
    };
  });
  files.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  const index = toManifest("application/vnd.oci.image.index.v1+json", { manifests: entries });
  files.set("index.json", index.bytes);
  return packFiles(files);
}

const withoutPath = ({ digest, size }: { readonly digest: Digest; readonly size: number }) => ({
  digest,
  size,
});

/** An archive of files, and of the folders that they are in. */
export function packFiles(files: Files): Buffer {
  const folders = new Set<string>();
  for (const name of files.keys())
    for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1))
      folders.add(name.slice(0, at + 1));
  return packTar([
    ...[...folders].map((name) => ({ name, type: "folder" as const })),
    ...[...files].map(([name, content]) => ({ name, content })),
  ]);
}
