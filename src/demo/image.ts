// The demo's image: a small real one for two platforms, made of the distribution's packages. A system with a shell and
// tools, and a layer of data that both platforms share.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import { openPackages, type Packages } from "./packages.ts";

const gzip = promisify(gzipCallback);

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

const PLATFORMS = [
  { debian: "amd64", platform: { os: "linux", architecture: "amd64" } },
  { debian: "arm64", platform: { os: "linux", architecture: "arm64", variant: "v8" } },
] as const;

/** Root first. A shared layer holds packages of no architecture, without what they depend on. */
const LAYERS = [
  { name: "system", packages: ["base-files", "libc6"], shared: false },
  { name: "data", packages: ["tzdata", "ca-certificates", "netbase"], shared: true },
  { name: "shell", packages: ["bash", "coreutils"], shared: false },
  { name: "tools", packages: ["openssl"], shared: false },
] as const;

export interface DemoBlob {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly kind: "config" | "layer";
  /** What it holds: the layer's name, or `config`. */
  readonly name: string;
  /** `os/architecture` of the images that have it. */
  readonly platforms: readonly string[];
}

export interface DemoImage {
  /** An OCI layout, tag `1.0`. */
  readonly folder: string;
  readonly digest: string;
  readonly platforms: readonly string[];
  readonly blobs: readonly DemoBlob[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** The image from `cache`, made there first if it is missing. `say` hears what takes time. */
export async function demoImage(
  cache: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<DemoImage> {
  const recipe = createHash("sha256")
    .update(JSON.stringify([PLATFORMS, LAYERS]))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cache, `image-${recipe}`);
  const known = await readFile(join(folder, "demo.json"), "utf8").catch(() => undefined);
  if (known !== undefined) return { ...(JSON.parse(known) as Omit<DemoImage, "folder">), folder };

  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "making-"));
  try {
    const layout = join(work, "layout");
    const image = await makeImage(layout, work, say, signal);
    await writeFile(join(layout, "demo.json"), JSON.stringify(image));
    await rm(folder, { recursive: true, force: true });
    await rename(layout, folder);
    return { ...image, folder };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeImage(
  layout: string,
  work: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Omit<DemoImage, "folder">> {
  const blobsDir = join(layout, "blobs/sha256");
  await mkdir(blobsDir, { recursive: true });
  const put = async (mediaType: string, bytes: Buffer): Promise<Descriptor> => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobsDir, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const made: Made[] = [];
  const shared = new Map<string, Layer>();
  say(
    `making the image from the distribution's packages: ${PLATFORMS.map(({ platform }) => nameOf(platform)).join(", ")}`,
  );
  const sources = await Promise.all(
    PLATFORMS.map(({ debian }) => openPackages(debian, join(work, debian), signal)),
  );
  for (const [i, { platform }] of PLATFORMS.entries()) {
    const layers = await makeLayers(sources[i] as Packages, shared, put);
    made.push(await makeManifest(platform, layers, put));
  }
  const manifests = made.map(({ manifest, platform }) => ({ ...manifest, platform }));
  const index = await put(INDEX, json({ schemaVersion: 2, mediaType: INDEX, manifests }));
  const named = { ...index, annotations: { "org.opencontainers.image.ref.name": "1.0" } };
  await writeFile(
    join(layout, "index.json"),
    json({ schemaVersion: 2, mediaType: INDEX, manifests: [named] }),
  );
  await writeFile(join(layout, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return {
    digest: index.digest,
    platforms: made.map(({ platform }) => nameOf(platform)),
    blobs: blobsOf(made),
  };
}

type Put = (mediaType: string, bytes: Buffer) => Promise<Descriptor>;
type Platform = (typeof PLATFORMS)[number]["platform"];

interface Layer {
  readonly name: string;
  readonly packages: readonly string[];
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

interface Made {
  readonly platform: Platform;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Layer[];
}

async function makeLayers(
  packages: Packages,
  shared: Map<string, Layer>,
  put: Put,
): Promise<Layer[]> {
  const layers: Layer[] = [];
  const below = new Set<string>();
  for (const plan of LAYERS) {
    const all = plan.shared ? plan.packages : await packages.withDependencies(plan.packages);
    const own = all.filter((name) => !below.has(name));
    for (const name of own) below.add(name);
    const layer =
      shared.get(plan.name) ?? (await makeLayer(plan.name, own, await packages.tar(own), put));
    if (plan.shared) shared.set(plan.name, layer);
    layers.push(layer);
  }
  return layers;
}

async function makeLayer(
  name: string,
  packages: readonly string[],
  tar: Buffer,
  put: Put,
): Promise<Layer> {
  const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
  return { name, packages, descriptor: await put(LAYER, await gzip(tar)), diffId };
}

async function makeManifest(platform: Platform, layers: readonly Layer[], put: Put): Promise<Made> {
  const config = await put(
    CONFIG,
    json({
      ...platform,
      config: { Cmd: ["/bin/bash"], Env: ["PATH=/usr/local/bin:/usr/bin:/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(({ name, packages }) => ({
        created_by: `packages: ${packages.join(" ")}`,
        comment: name,
      })),
    }),
  );
  const manifest = await put(
    MANIFEST,
    json({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  return { platform, manifest, config, layers };
}

/** Every blob once, in the order of the manifests. */
function blobsOf(made: readonly Made[]): DemoBlob[] {
  const blobs = new Map<string, DemoBlob>();
  const add = (
    kind: DemoBlob["kind"],
    name: string,
    platform: Platform,
    { digest, size }: Descriptor,
  ) => {
    const platforms = [...(blobs.get(digest)?.platforms ?? []), nameOf(platform)];
    blobs.set(digest, { digest, size, kind, name, platforms });
  };
  for (const { platform, config, layers } of made) {
    for (const { name, descriptor } of layers) add("layer", name, platform, descriptor);
    add("config", "config", platform, config);
  }
  return [...blobs.values()];
}

const nameOf = ({ os, architecture }: Platform): string => `${os}/${architecture}`;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
