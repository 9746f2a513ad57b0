// What may change, and into what (semantics 1.4, 3.2, 4.3): functions from data to data. The engine asks here and nowhere else.

import { CopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { isList } from "../image/media-types.ts";
import type { CopyOptions } from "./options.ts";
import type { DestinationTraits } from "./interfaces.ts";

/** Whether the manifest may be written other than it was read; a "no" carries its reason. */
export type MayChange = true | { readonly reason: string };

/** Later reasons outrank earlier ones, as in containers/image. */
export function mayChange(given: {
  keptSignatures: number;
  destinationDigest: Digest | undefined;
  preserveDigests: boolean;
}): MayChange {
  if (given.preserveDigests) return { reason: "the request says `preserveDigests`" };
  if (given.destinationDigest !== undefined) return { reason: "the destination names a digest" };
  if (given.keptSignatures > 0) return { reason: "it would invalidate the image's signatures" };
  return true;
}

/**
 * The type to write the manifest in: its own where the destination takes it or nothing may change, else the first type of the same
 * kind (image or list) that the destination takes. Throws `lists_not_supported` if there is none for a list.
 */
export function chooseManifestType(
  own: string,
  accepted: readonly string[],
  may: MayChange,
): string {
  const ofKind = accepted.filter((type) => isList(type) === isList(own));
  if (isList(own) && accepted.length > 0 && ofKind.length === 0) {
    throw new CopyError(
      "lists_not_supported",
      `the destination takes ${accepted.join(", ")}, and no list of images`,
      { side: "destination", phase: "manifest" },
    );
  }
  if (accepted.length === 0 || accepted.includes(own) || may !== true) return own;
  return ofKind[0] ?? own;
}

/** Throws `manifest_rejected` where writing needs another type than the manifest has: nothing here converts manifests. */
export function requireSameType(own: string, chosen: string): void {
  if (own === chosen) return;
  throw new CopyError(
    "manifest_rejected",
    `the destination takes \`${chosen}\`, the source has \`${own}\`, and this version does not convert manifests`,
    { side: "destination", phase: "manifest" },
  );
}

/**
 * A destination that names a digest takes this manifest and no other; one instance of a list may be written to the digest of its
 * list (semantics 1.4, as podman pulls do). Throws `digest_not_preserved`.
 */
export function checkDestinationDigest(
  wanted: Digest | undefined,
  written: readonly Digest[],
): void {
  if (wanted === undefined || written.includes(wanted)) return;
  throw new CopyError(
    "digest_not_preserved",
    `the destination names ${wanted}, the image is ${written[0] ?? "unknown"}`,
    { side: "destination", phase: "manifest" },
  );
}

/** A layer that stays where its URLs point (semantics 4.3). */
export const staysForeign = (
  layer: Descriptor,
  traits: DestinationTraits,
  options: Pick<CopyOptions, "downloadForeignLayers">,
): boolean =>
  layer.urls !== undefined && traits.keepsForeignLayers && !options.downloadForeignLayers;

/** What is to be done where the destination's tag names something already. `present` is its digest. */
export function decideAboutTag(
  ifTagExists: CopyOptions["ifTagExists"],
  present: Digest | undefined,
  source: Digest,
): "copy" | "skip" {
  if (present === undefined || ifTagExists === "overwrite") return "copy";
  if (ifTagExists === "skip") return "skip";
  // The same image under the tag is what was asked for: an attempt that died after its last write must not fail the next one.
  if (present === source) return "skip";
  throw new CopyError("tag_exists", `the destination names ${present}, the source is ${source}`, {
    side: "destination",
    phase: "manifest",
    digest: present,
  });
}
