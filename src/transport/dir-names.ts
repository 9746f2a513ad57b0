// The names of files in a `dir:` folder, and its version (containers/image directory/directory_transport.go; semantics 7.5).

import { algorithmOf, hexOf, type Digest } from "../image/digest.ts";

/** Bare for SHA-256; with its algorithm otherwise, which is what version 1.2 stands for. */
export const fileOf = (digest: Digest): string =>
  algorithmOf(digest) === "sha256" ? hexOf(digest) : `${algorithmOf(digest)}-${hexOf(digest)}`;
/** Of an instance, or (undefined) of the manifest that the folder stands for. */
export const manifestFile = (instance: Digest | undefined): string =>
  instance === undefined ? "manifest.json" : `${fileOf(instance)}.manifest.json`;
/** The n-th signature, from 1. */
export const signatureFile = (instance: Digest | undefined, n: number): string =>
  `${instance === undefined ? "" : `${fileOf(instance)}.`}signature-${n}`;

/** Major and minor; undefined: this is no version file. */
export function parseVersion(bytes: Buffer): readonly [number, number] | undefined {
  const match = /^Directory Transport Version: (\d{1,4})\.(\d{1,4})\n/.exec(
    bytes.toString("latin1"),
  );
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}
