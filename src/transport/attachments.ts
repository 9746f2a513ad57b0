// cosign's attachments: an image under a tag whose layers are signatures or attestations. Two of them become one by having the layers of
// both (as containers/image does where it writes signatures, semantics 6.4.3), so that a copy adds to what is signed and loses nothing.

import { fromBuffer } from "../bytes.ts";
import type { BlobStream } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { digestOf, type Digest } from "../image/digest.ts";
import { isObject, parseJsonObject } from "../image/json.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { parseOci } from "../image/manifest/oci.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../image/media-types.ts";

/** A layer as its manifest has it. */
type Attachment = Readonly<Record<string, unknown>>;

/** How the place is read and written that the attachments are at. */
export interface AttachmentStore {
  /** The config of the manifest that is there, checked. */
  getConfig(digest: Digest, signal: AbortSignal): Promise<Buffer>;
  putConfig(config: BlobStream, signal: AbortSignal): Promise<unknown>;
}

/**
 * What a tag is to name so that it has the attachments of `added`, besides those that it has; undefined: it has them all. An SBOM takes
 * the place of the one before, as cosign does it. Throws `tag_exists` where what is there cannot be added to.
 */
export async function mergeAttachments(
  present: RawManifest | undefined,
  added: RawManifest,
  tag: string,
  store: AttachmentStore,
  signal: AbortSignal,
): Promise<RawManifest | undefined> {
  if (present?.bytes.equals(added.bytes)) return undefined;
  if (present === undefined || tag.endsWith(".sbom")) return added;
  const there = new Set(attachmentsOf(present, tag).map(keyOf));
  const missing = attachmentsOf(added, tag).filter((one) => !there.has(keyOf(one)));
  if (missing.length === 0) return undefined;
  const { digest, mediaType } = parseOci(present).config;
  const { manifest, config } = addAttachments(
    present,
    await store.getConfig(digest, signal),
    missing,
    tag,
  );
  const info = { mediaType, digest: digestOf(config), size: config.length };
  await store.putConfig({ content: fromBuffer(config), info }, signal);
  return manifest;
}

/** The same payload may be signed twice: the signature is an annotation. */
function keyOf({ digest, annotations }: Attachment): string {
  const sorted = Object.entries(annotations ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([digest, sorted]);
}

/** The manifest, and its config, with more attachments at their end. */
function addAttachments(
  present: RawManifest,
  config: Buffer,
  added: readonly Attachment[],
  tag: string,
): { readonly manifest: RawManifest; readonly config: Buffer } {
  const { config: descriptor, layers, ...rest } = parse(present.bytes, tag);
  const { rootfs, ...image } = parse(config, tag);
  const diffIds = isObject(rootfs) ? rootfs["diff_ids"] : undefined;
  // They are not compressed: each is its own diffID.
  const addedIds = added.map((one) => one["digest"]);
  const diff_ids = [...(Array.isArray(diffIds) ? diffIds : []), ...addedIds];
  const newConfig = toJson({ ...image, rootfs: { type: "layers", diff_ids } });
  const { mediaType } = descriptor as { mediaType?: unknown };
  const bytes = toJson({
    ...rest,
    config: { mediaType, digest: digestOf(newConfig), size: newConfig.length },
    layers: [...(layers as readonly unknown[]), ...added],
  });
  return { manifest: { bytes, mediaType: present.mediaType }, config: newConfig };
}

const toJson = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function attachmentsOf(manifest: RawManifest, tag: string): readonly Attachment[] {
  if (manifest.mediaType !== OCI_MANIFEST) throw unmergeable(tag, manifest.mediaType);
  const { layers } = parse(manifest.bytes, tag);
  const { config } = parseOci(manifest);
  if (config.mediaType !== OCI_CONFIG) throw unmergeable(tag, config.mediaType);
  return layers as readonly Attachment[];
}

function parse(bytes: Buffer, tag: string): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    throw unmergeable(tag, error instanceof Error ? error.message : String(error), error);
  }
}

const unmergeable = (tag: string, why: string, cause?: unknown): CopyError =>
  new CopyError(
    "tag_exists",
    `\`${tag}\` exists at the destination, and cannot take up what the source has under it (${why})`,
    { side: "destination", phase: "manifest" },
    cause,
  );
