// Reads back, from any place, what a copy has made, apart from src: nothing here believes a digest or a name that src has written.

import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import {
  isList,
  MANIFEST_TYPES,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
} from "../../src/image/media-types.ts";
import type { Sample } from "./samples.ts";
import { listTar } from "./tar.ts";

export interface TreeFile {
  readonly bytes: Buffer;
  readonly mode: number;
  /** Where a link points. */
  readonly target?: string;
  /** Of a member of an archive: seconds since 1970. */
  readonly mtime?: number;
}

/** Files by path; folders are what their files say. */
export type Tree = ReadonlyMap<string, TreeFile>;

/** The fields of a manifest that name other things. */
export interface Document {
  readonly config?: Named;
  readonly layers?: readonly Named[];
  readonly manifests?: readonly Named[];
  readonly fsLayers?: readonly { readonly blobSum: Digest }[];
}

export interface Named {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export const documentOf = ({ bytes }: RawManifest): Document =>
  JSON.parse(bytes.toString()) as Document;

/** Everything that a manifest names besides manifests. */
export const blobsNamedBy = ({ config, layers, fsLayers }: Document): readonly Digest[] => [
  ...(config === undefined ? [] : [config.digest]),
  ...(layers ?? []).map(({ digest }) => digest),
  ...(fsLayers ?? []).map(({ blobSum }) => blobSum),
];

interface Shelf {
  manifest(digest: Digest, mediaType: string): Promise<Buffer | undefined>;
  blob(digest: Digest): Promise<Buffer | undefined>;
  signatures(digest: Digest | ""): readonly Buffer[];
}

/** All that hangs on a manifest, as far as it is there. */
async function gather(root: RawManifest, shelf: Shelf): Promise<Sample> {
  const manifests = new Map<Digest, RawManifest>();
  const blobs = new Map<Digest, Buffer>();
  const signatures = new Map<Digest | "", readonly Buffer[]>();
  const visit = async (manifest: RawManifest, digest: Digest | ""): Promise<void> => {
    const signed = shelf.signatures(digest);
    if (signed.length > 0) signatures.set(digest, signed);
    const document = documentOf(manifest);
    for (const named of blobsNamedBy(document)) {
      const bytes = blobs.get(named) ?? (await shelf.blob(named));
      if (bytes !== undefined) blobs.set(named, bytes);
    }
    if (!isList(manifest.mediaType)) return;
    for (const child of document.manifests ?? []) {
      const bytes = await shelf.manifest(child.digest, child.mediaType);
      if (bytes === undefined || manifests.has(child.digest)) continue;
      manifests.set(child.digest, { bytes, mediaType: child.mediaType });
      await visit({ bytes, mediaType: child.mediaType }, child.digest);
    }
  };
  await visit(root, "");
  return { root, manifests, blobs, signatures };
}

/** What a tag or digest names at a registry over plain HTTP; undefined: nothing. */
export async function readRegistry(
  host: string,
  repository: string,
  ref: string,
): Promise<Sample | undefined> {
  const get = async (path: string): Promise<{ bytes: Buffer; type: string } | undefined> => {
    const response = await fetch(`http://${host}/v2/${repository}/${path}`, {
      headers: { accept: MANIFEST_TYPES.join(", ") },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status === 404) return undefined;
    if (response.status !== 200) throw new Error(`GET ${path}: ${response.status}`);
    return { bytes, type: (response.headers.get("content-type") ?? "").split(";")[0] as string };
  };
  const root = await get(`manifests/${ref}`);
  if (root === undefined) return undefined;
  return gather(
    { bytes: root.bytes, mediaType: root.type },
    {
      manifest: async (digest) => (await get(`manifests/${digest}`))?.bytes,
      blob: async (digest) => (await get(`blobs/${digest}`))?.bytes,
      signatures: () => [],
    },
  );
}

/** All files below a folder; undefined where there is none. */
export async function readTree(folder: string): Promise<Tree | undefined> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => null);
  if (names === null) return undefined;
  const files = names.filter((entry) => !entry.isDirectory());
  const read = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    const status = await lstat(path);
    const target = status.isSymbolicLink() ? await readlink(path) : undefined;
    const file: TreeFile = {
      bytes: target === undefined ? await readFile(path) : Buffer.alloc(0),
      mode: status.mode & 0o7777,
      ...(target !== undefined && { target }),
    };
    return [path.slice(folder.length + 1), file] as const;
  });
  return new Map(await Promise.all(read));
}

/** The files in an archive. */
export function treeOfTar(tar: Buffer): Tree {
  const files = listTar(tar).filter(({ type }) => type !== "folder");
  return new Map(
    files.map(({ name, type, content, mode, target, mtime }) => [
      name.replace(/^\.\//, ""),
      { bytes: content, mode, mtime, ...(type !== "file" && { target }) },
    ]),
  );
}

const NAME = "org.opencontainers.image.ref.name";

/** What a name stands for in a layout; without a name: its last entry. `shared`: a folder of blobs outside it. */
export async function readLayout(
  tree: Tree,
  name: string | undefined,
  shared?: Tree,
): Promise<Sample | undefined> {
  const index = tree.get("index.json");
  if (index === undefined) return undefined;
  const entries = (JSON.parse(index.bytes.toString()) as Document).manifests ?? [];
  const entry = entries.findLast((e) => name === undefined || e.annotations?.[NAME] === name);
  const blobAt = (digest: Digest) => {
    const path = digest.replace(":", "/");
    return (shared === undefined ? tree.get(`blobs/${path}`) : shared.get(path))?.bytes;
  };
  const bytes = entry && blobAt(entry.digest);
  if (entry === undefined || bytes === undefined) return undefined;
  return gather(
    { bytes, mediaType: entry.mediaType },
    {
      manifest: async (digest) => blobAt(digest),
      blob: async (digest) => blobAt(digest),
      signatures: () => [],
    },
  );
}

export async function readDir(tree: Tree): Promise<Sample | undefined> {
  const root = tree.get("manifest.json");
  if (root === undefined) return undefined;
  const plain = (digest: Digest) => digest.replace(/^sha256:/, "").replace(":", "-");
  return gather(
    { bytes: root.bytes, mediaType: typeIn(root.bytes) },
    {
      manifest: async (digest) => tree.get(`${plain(digest)}.manifest.json`)?.bytes,
      blob: async (digest) => tree.get(plain(digest))?.bytes,
      signatures: (digest) => {
        const prefix = digest === "" ? "signature-" : `${plain(digest)}.signature-`;
        const names = [...tree.keys()].filter((path) => path.startsWith(prefix)).toSorted();
        return names.map((path) => (tree.get(path) as TreeFile).bytes);
      },
    },
  );
}

/** The type of a manifest that nobody has told the type of. */
function typeIn(bytes: Buffer): string {
  const document = JSON.parse(bytes.toString()) as {
    mediaType?: string;
    schemaVersion?: number;
    signatures?: unknown;
    manifests?: unknown;
  };
  if (document.mediaType !== undefined) return document.mediaType;
  if (document.schemaVersion === 1)
    return document.signatures === undefined ? SCHEMA1 : SCHEMA1_SIGNED;
  return document.manifests === undefined ? OCI_MANIFEST : OCI_INDEX;
}

/** What a registry names as referring to a manifest, by its referrers API or by the tag that stands in for it. */
export async function readReferrers(
  host: string,
  repository: string,
  digest: Digest,
): Promise<readonly Digest[]> {
  for (const path of [`referrers/${digest}`, `manifests/${digest.replace(":", "-")}`]) {
    const response = await fetch(`http://${host}/v2/${repository}/${path}`, {
      headers: { accept: OCI_INDEX },
    });
    const text = await response.text();
    if (response.status !== 200) continue;
    return ((JSON.parse(text) as Document).manifests ?? []).map((entry) => entry.digest);
  }
  return [];
}
