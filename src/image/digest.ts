// Digests: parsed once at the border, so that nothing else ever reaches a path or an address.

import { createHash, type Hash } from "node:crypto";

/** `algorithm:hex` of content. Only `parseDigest` and `digestOf` make one. */
export type Digest = `${Algorithm}:${string}`;
export type Algorithm = "sha256" | "sha384" | "sha512";

/** Length of the hexadecimal part (OCI image-spec, descriptor.md "Registered algorithms", and sha384 of go-digest). */
const HEX_LENGTH: Readonly<Record<Algorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** The digest, or undefined where the text is not exactly one: unknown algorithm, wrong length, upper case. */
export function parseDigest(text: unknown): Digest | undefined {
  if (typeof text !== "string" || text.length > 136) return undefined;
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  if (!isAlgorithm(algorithm)) return undefined;
  const hex = text.slice(colon + 1);
  return hex.length === HEX_LENGTH[algorithm] && isLowerHex(hex) ? (text as Digest) : undefined;
}

/** The digest of bytes that are at hand; sha256 unless an expected digest asks for another algorithm. */
export function digestOf(bytes: Uint8Array, algorithm: Algorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

export const algorithmOf = (digest: Digest): Algorithm =>
  digest.slice(0, digest.indexOf(":")) as Algorithm;
export const hexOf = (digest: Digest): string => digest.slice(digest.indexOf(":") + 1);

/** A running hash of the digest's own algorithm. */
export const hashFor = (digest: Digest): Hash => createHash(algorithmOf(digest));

const isAlgorithm = (text: string): text is Algorithm => Object.hasOwn(HEX_LENGTH, text);

function isLowerHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (!((c >= 48 && c <= 57) || (c >= 97 && c <= 102))) return false;
  }
  return true;
}
