// Signatures as storage without types keeps them: containers/image's blobs (semantics 6.1).

import { isObject, parseJsonObject } from "../image/json.ts";
import { decodeBase64 } from "./fields.ts";

/** A signature of which nothing is verified. */
export type StoredSignature =
  | { readonly kind: "simple"; readonly bytes: Buffer }
  | {
      readonly kind: "sigstore";
      readonly mediaType: string;
      readonly payload: Buffer;
      readonly annotations: Readonly<Record<string, string>>;
    };

/**
 * First bytes of an OpenPGP message: compressed data, a one-pass signature, a signature. containers/image has 0x3d where 0x93 is
 * meant; a packet cannot begin with it, so it only takes longer to be refused.
 */
const OPENPGP = new Set([
  0xa0, 0xa1, 0xa2, 0xa3, 0xc8, 0x90, 0x91, 0x92, 0x93, 0x3d, 0xc4, 0x88, 0x89, 0x8a, 0x8b, 0xc2,
]);

/** What a blob is. Throws an Error that says why it is no signature. */
export function parseSignature(blob: Buffer): StoredSignature {
  const [first] = blob;
  if (first === undefined) throw new Error("empty signature blob");
  if (OPENPGP.has(first)) return { kind: "simple", bytes: blob };
  if (first !== 0)
    throw new Error(`unrecognized signature format, starting with binary 0x${first.toString(16)}`);
  const end = blob.indexOf("\n");
  if (end < 0) throw new Error("invalid signature format, missing newline");
  const name = blob.subarray(1, end);
  const strange = name.find((byte) => byte < 32 || byte >= 127);
  if (strange !== undefined)
    throw new Error(`invalid signature format, non-ASCII byte 0x${strange.toString(16)}`);
  const chunk = blob.subarray(end + 1);
  switch (name.toString("latin1")) {
    case "simple-signing":
      return { kind: "simple", bytes: chunk };
    case "sigstore-json":
      return parseSigstore(chunk);
    default:
      throw new Error(`unrecognized signature format "${name.subarray(0, 40).toString("latin1")}"`);
  }
}

/** Unknown members are left alone: what they mean is told by a later version. */
function parseSigstore(chunk: Buffer): StoredSignature {
  const fields = parseJsonObject(chunk, { keys: "exact" });
  const { mimeType: mediaType, annotations } = fields;
  const payload =
    typeof fields["payload"] === "string" ? decodeBase64(fields["payload"]) : undefined;
  if (typeof mediaType !== "string" || payload === undefined)
    throw new Error("a sigstore signature has no `mimeType`, or no `payload` in base64");
  return { kind: "sigstore", mediaType, payload, annotations: textsOf(annotations ?? {}) };
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) throw new Error("the annotations of a sigstore signature are no object");
  const texts: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string")
      throw new Error("an annotation of a sigstore signature is no string");
    texts[key] = text;
  }
  return texts;
}
