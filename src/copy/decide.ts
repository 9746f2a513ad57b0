// What may change, and into what (semantics 1.4, 1.5, 3.2): functions from data to data. The engine asks here, and layers.ts for blobs.

import { CopyError } from "../errors.ts";
import type { Compression } from "../image/compression.ts";
import type { Digest } from "../image/digest.ts";
import {
  DOCKER_LIST,
  isList,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../image/media-types.ts";
import type { CopyOptions } from "./options.ts";

/** Whether the manifest may be written other than it was read; a "no" carries its reason. */
export type MayChange = true | { readonly reason: string };

/** Later reasons outrank earlier ones, as in containers/image. */
export function mayChange(given: {
  keptSignatures: number;
  destinationDigest: Digest | undefined;
  preserveDigests: boolean;
  referrers: boolean;
}): MayChange {
  if (given.preserveDigests) return { reason: "the request says `preserveDigests`" };
  if (given.destinationDigest !== undefined) return { reason: "the destination names a digest" };
  if (given.referrers) return { reason: "its `referrers` would refer to nothing any more" };
  if (given.keptSignatures > 0)
    return {
      reason: "it would invalidate the image's signatures, which `removeSignatures` would drop",
    };
  return true;
}

/** The type to write first, and those to try if the destination refuses it. */
export interface TypePlan {
  readonly preferred: string;
  readonly others: readonly string[];
}

interface TypeQuestion {
  /** What the manifest is. */
  readonly own: string;
  /** What the destination takes, in its order; empty: anything. */
  readonly accepted: readonly string[];
  readonly forced: string | undefined;
  readonly may: MayChange;
}

const ANY_IMAGE = [OCI_MANIFEST, SCHEMA2, SCHEMA1_SIGNED, SCHEMA1] as const;
/** Whatever the destination's order: these come before its others (containers/image, copy/manifest.go). */
const FIRST = [SCHEMA2, SCHEMA1_SIGNED] as const;

/**
 * The types for one image (semantics 3.2). Throws `manifest_rejected` where the destination takes none that can hold layers in
 * `compression`. Where nothing may change the image keeps its own type, even one that the destination does not list.
 */
export function chooseImageTypes(
  question: TypeQuestion & { readonly compression: Compression | undefined },
): TypePlan {
  const { own, forced, may, compression } = question;
  const accepted = question.accepted.filter((type) => !isList(type));
  const wanted =
    forced !== undefined
      ? [forced]
      : question.accepted.length === 0
        ? ANY_IMAGE
        : accepted.length === 0
          ? [own]
          : accepted;
  const fit = wanted.filter((type) => canHold(type, compression));
  if (fit.length === 0) throw cannotHold(compression, wanted, forced);
  if (may !== true) return { preferred: own, others: [] };
  const [preferred = own, ...others] = new Set([
    ...[own, ...FIRST].filter((type) => fit.includes(type)),
    ...fit,
  ]);
  return { preferred, others };
}

/** Docker's types know gzip only; nothing knows bzip2 and xz. */
export const canHold = (type: string, compression: Compression | undefined): boolean =>
  compression === undefined ||
  compression === "gzip" ||
  (type === OCI_MANIFEST && (compression === "zstd" || compression === "zstd:chunked"));

const cannotHold = (
  compression: Compression | undefined,
  wanted: readonly string[],
  forced: string | undefined,
): CopyError =>
  new CopyError(
    "manifest_rejected",
    `${compression} layers need an OCI manifest, and ${forced === undefined ? "the destination takes" : "`forceManifestMimeType` asks for"} ${wanted.join(", ")}`,
    { side: "destination", phase: "manifest" },
  );

/**
 * The types for a list. Throws `lists_not_supported`, and `digest_not_preserved` where it had to become another type and may not
 * change.
 */
export function chooseListTypes({ own, accepted, forced, may }: TypeQuestion): TypePlan {
  const lists = accepted.length === 0 ? [DOCKER_LIST, OCI_INDEX] : accepted.filter(isList);
  if (lists.length === 0)
    throw new CopyError(
      "lists_not_supported",
      `the destination takes ${accepted.join(", ")}, and no list of images`,
      { side: "destination", phase: "manifest" },
    );
  const wanted = forced === undefined ? lists : [listTypeFor(forced)];
  const [preferred = own, ...others] = new Set([
    ...wanted.filter((type) => type === own),
    ...wanted,
  ]);
  if (preferred !== own && may !== true)
    throw new CopyError(
      "digest_not_preserved",
      `the destination takes lists as \`${preferred}\`, and the list must stay \`${own}\`: ${may.reason}`,
      { side: "destination", phase: "manifest" },
    );
  return { preferred, others: may === true ? others : [] };
}

const listTypeFor = (imageType: string): string =>
  imageType === OCI_MANIFEST || imageType === OCI_INDEX ? OCI_INDEX : DOCKER_LIST;

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
