// cosign's attachments: an image under a tag whose layers are signatures or attestations. Two of them become one by having the layers of
// both (as containers/image does where it writes signatures, semantics 6.4.3), so that a copy adds to what is signed and loses nothing.

import { isDeepStrictEqual } from "node:util";
import { CopyError } from "../errors.ts";
import { digestOf } from "../image/digest.ts";
import { isObject, parseJsonObject } from "../image/json.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { parseOci } from "../image/manifest/oci.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../image/media-types.ts";

/** A layer as its manifest has it. */
export type Attachment = Readonly<Record<string, unknown>>;

/** cosign writes an SBOM over the one that is there; of the others there may be many. */
export const isMerged = (tag: string): boolean => !tag.endsWith(".sbom");

/** What `added` has and `present` has not: another payload, or the same with another signature. Throws `tag_exists`. */
export function missingAttachments(
  present: RawManifest,
  added: RawManifest,
  tag: string,
): readonly Attachment[] {
  const there = attachmentsOf(present, tag);
  const isThere = (one: Attachment) =>
    there.some(
      (other) =>
        other["digest"] === one["digest"] &&
        isDeepStrictEqual(other["annotations"] ?? {}, one["annotations"] ?? {}),
    );
  return attachmentsOf(added, tag).filter((one) => !isThere(one));
}

/** The manifest, and its config, with more attachments at their end. Throws `tag_exists` where `config` is none. */
export function addAttachments(
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
