// Layers in files as an image (semantics 7.9): `tarball:` is a source only. The manifest and the config are made here, and are those that
// skopeo makes of the same files.

import { fromBuffer, type Bytes } from "../bytes.ts";
import type { Source } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { algorithmOf, digestOf, type Digest } from "../image/digest.ts";
import { digesting } from "../image/digesting.ts";
import { manifestDigest } from "../image/manifest/manifest.ts";
import type { Platform } from "../image/platform.ts";
import { OCI_LAYER } from "../image/media-types.ts";
import { formatReference } from "../image/reference.ts";
import type { TarballReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { openRegular, type RegularFile } from "./files.ts";
import { configOf, manifestOf, type TarballLayer } from "./tarball-image.ts";
import { compressionOf, lengthOf, unpacked } from "./unpacked.ts";

/** `paths` are real paths, in the order of the reference's. Reads all files once. Throws `source_not_found`, `path_denied`. */
export async function openTarballSource(
  reference: TarballReference,
  paths: readonly string[],
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  await using opened = new AsyncDisposableStack();
  const name = formatReference(reference);
  const missing = (why: string) =>
    new CopyError("source_not_found", `\`${name}\`: ${why}`, {
      side: access.side,
      phase: "manifest",
    });
  const layers: TarballLayer[] = [];
  const blobs = new Map<Digest, () => Bytes>();
  for (const [i, path] of paths.entries()) {
    const file = await openRegular(path, { side: access.side, phase: "blob" });
    if (file === undefined) throw missing(`there is no file \`${reference.paths[i]}\``);
    opened.use(file);
    const { layer, content } = await readLayer(file, signal);
    layers.push(layer);
    blobs.set(layer.digest, content);
  }
  const config = configOf(layers, platformOf(access));
  blobs.set(digestOf(config), () => fromBuffer(config));
  const manifest = manifestOf(config, layers);
  const { pinned } = access;
  if (pinned !== undefined && manifestDigest(manifest, algorithmOf(pinned)) !== pinned)
    throw missing(`it is another image than ${pinned}, which this job began to copy`);
  const owned = opened.move();
  return {
    name,
    getManifest: async (instance) => {
      if (instance === undefined) return manifest;
      throw missing(`it has no manifest ${instance}, it is a single image`);
    },
    getBlob: async (blob) => {
      const content = blobs.get(blob.digest);
      if (content === undefined) throw missing(`it has no blob ${blob.digest}`);
      return { content: content(), info: blob };
    },
    getSignatures: async () => [],
    getReferrers: async () => [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** gzip and zstd stay, for manifests have words for them; of others the layer is what is in them. */
async function readLayer(
  file: RegularFile,
  signal: AbortSignal,
): Promise<{ readonly layer: TarballLayer; readonly content: () => Bytes }> {
  const whole = { offset: 0, size: file.size };
  const found = await compressionOf(file, whole);
  const stays = found === "gzip" || found === "zstd";
  const content = (): Bytes => unpacked(file, whole, stays ? undefined : found);
  const blob = await measured(content(), signal);
  const diff = stays ? await measured(unpacked(file, whole, found), signal) : blob;
  const { mtimeNs } = await file.handle.stat({ bigint: true });
  const mediaType = stays ? `${OCI_LAYER}+${found}` : OCI_LAYER;
  return { layer: { ...blob, mediaType, diffId: diff.digest, modified: mtimeNs }, content };
}

async function measured(
  content: Bytes,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const seen = digesting(content);
  const size = await lengthOf(seen.content, signal);
  return { digest: seen.digest(), size };
}

/** What the image is said to run on: what the client says, else this machine's. */
const platformOf = ({ host, os, architecture, variant }: AccessContext): Platform => ({
  os: os ?? host.os,
  architecture: architecture ?? host.architecture,
  ...(variant !== undefined && { variant }),
});
