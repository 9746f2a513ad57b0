// What a signature says (semantics 6.2 and 6.5): that the manifest with this digest is the image of this name.

import { parseDigest, type Digest } from "../image/digest.ts";
import { isObject, parseJson } from "../image/json.ts";
import { DocumentFault, fieldsAt, stringAt } from "./fields.ts";

export interface Payload {
  readonly digest: Digest;
  /** As it was signed; it need not be a reference. */
  readonly reference: string;
}

/** What `critical.type` must be, by the kind of signature. */
const TYPES = {
  simple: "atomic container signature",
  sigstore: "cosign container image signature",
} as const;

/** Reads a payload whose signature was verified. Throws an Error that says what is wrong with it. */
export function parsePayload(bytes: Uint8Array, kind: keyof typeof TYPES): Payload {
  const { critical, optional } = fieldsAt(parseJson(bytes, { keys: "exact" }), "", [
    "critical",
    "optional",
  ]);
  // cosign writes null where there are no annotations.
  if (!(kind === "sigstore" && optional === null)) checkOptional(optional);
  const { type, image, identity } = fieldsAt(critical, "/critical", ["type", "image", "identity"]);
  if (type !== TYPES[kind]) throw new Error(`Unrecognized signature type ${String(type)}`);
  const signed = fieldsAt(image, "/critical/image", ["docker-manifest-digest"]);
  const digest = parseDigest(signed["docker-manifest-digest"]);
  if (digest === undefined)
    throw new DocumentFault("/critical/image/docker-manifest-digest", "is not a digest");
  const named = fieldsAt(identity, "/critical/identity", ["docker-reference"]);
  return {
    digest,
    reference: stringAt(named["docker-reference"], "/critical/identity/docker-reference"),
  };
}

/** Anything may be in it, but what has a meaning must be of its type. */
function checkOptional(optional: unknown): void {
  if (!isObject(optional)) throw new DocumentFault("/optional", "is not a JSON object");
  const { creator = "", timestamp = 0 } = optional;
  stringAt(creator, "/optional/creator");
  if (!Number.isInteger(timestamp)) throw new Error("Field optional.timestamp is not an integer");
}
