// Manifests that refer to another one: signatures, SBOMs, attestations (OCI image-spec, manifest.md "subject"; distribution-spec,
// "Listing Referrers").

import type { Descriptor } from "../blob-info.ts";
import type { Digest } from "../digest.ts";
import { isObject, parseJsonObject } from "../json.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../media-types.ts";
import type { RawManifest } from "./manifest.ts";
import { parseOciDescriptor } from "./oci.ts";
import { invalid } from "./refused.ts";

/** How much may refer to one image, and to that, and how far from the image (reliability T23). */
export const REFERRER_LIMITS = { count: 1_000, depth: 4 } as const;

export interface Referring {
  /** Absent where it refers to nothing. */
  readonly subject?: Digest;
  /** As lists of referrers have it. */
  readonly descriptor: Descriptor & { readonly artifactType?: string };
}

/**
 * What a manifest refers to, and how a list of referrers describes it: with its artifact type, an image without one with its config's
 * type, and with its annotations. Only OCI manifests refer to others. Throws `manifest_invalid` (source).
 */
export function parseReferring({ bytes, mediaType }: RawManifest, digest: Digest): Referring {
  const own = { mediaType, digest, size: bytes.length };
  if (mediaType !== OCI_MANIFEST && mediaType !== OCI_INDEX) return { descriptor: own };
  const { subject, config, artifactType, annotations } = documentOf(bytes);
  const configType = isObject(config) ? config["mediaType"] : undefined;
  const type = [artifactType, configType].find((t) => typeof t === "string" && t !== "");
  return {
    ...(isObject(subject) && { subject: parseOciDescriptor(subject, "subject").digest }),
    descriptor: {
      ...parseOciDescriptor({ ...own, annotations }, "manifest"),
      ...(typeof type === "string" && { artifactType: type }),
    },
  };
}

function documentOf(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}
