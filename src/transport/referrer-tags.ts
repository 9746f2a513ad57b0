// The tags under which a digest's referrers are found where there is no better way.

import { algorithmOf, hexOf, type Digest } from "../image/digest.ts";
import { isTag } from "../image/reference/docker.ts";

/** Of the index of all that refers to a digest, in a registry without the API (distribution-spec, "Referrers Tag Schema"). */
export const fallbackTag = (subject: Digest): string =>
  `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`;

/** cosign's, each of an image whose layers are signatures, attestations, or an SBOM. */
export const cosignTags = (subject: Digest): readonly string[] =>
  ["sig", "att", "sbom"]
    .map((kind) => `${algorithmOf(subject)}-${hexOf(subject)}.${kind}`)
    .filter(isTag);

export const isCosignTag = (tag: string): boolean =>
  /^sha(256|384|512)-[0-9a-f]{64,96}\.(sig|att|sbom)$/.test(tag);
