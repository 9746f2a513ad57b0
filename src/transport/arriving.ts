// A blob that comes in, and what it is called then.

import type { Bytes } from "../bytes.ts";
import type { BlobStream } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { BlobInfo, Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { digesting } from "../image/digesting.ts";

export interface Arriving {
  readonly content: Bytes;
  /** To be asked once the content was poured and had `size` bytes. Throws `size_mismatch`. */
  readonly descriptor: (size: number) => Descriptor;
}

/** The blob's digest is believed, the pipeline has checked it; where the bytes were changed it is computed (SHA-256). */
export function arriving({ content, info }: BlobStream): Arriving {
  const { digest } = info;
  if (digest !== undefined) return { content, descriptor: (size) => described(info, digest, size) };
  const seen = digesting(content);
  return { content: seen.content, descriptor: (size) => described(info, seen.digest(), size) };
}

function described(info: BlobInfo, digest: Digest, size: number): Descriptor {
  if (info.size === undefined || info.size === size) return { ...info, digest, size };
  throw new CopyError(
    "size_mismatch",
    `the blob ${digest} has ${size} bytes, its manifest says ${info.size}`,
    { side: "source", phase: "blob", digest },
  );
}
