// A blob that comes in, and what it is called then.

import { createHash } from "node:crypto";
import type { Bytes } from "../bytes.ts";
import type { BlobStream } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";

export interface Arriving {
  readonly content: Bytes;
  /** To be asked once the content was poured and had `size` bytes. Throws `size_mismatch`. */
  readonly descriptor: (size: number) => Descriptor;
}

/** The blob's digest is believed, the pipeline has checked it; where the bytes were changed it is computed (SHA-256). */
export function arriving({ content, info }: BlobStream): Arriving {
  const hash = info.digest === undefined ? createHash("sha256") : undefined;
  let digest = info.digest;
  return {
    content: {
      pour: (sink, signal) =>
        content.pour((chunk, release) => {
          hash?.update(chunk);
          sink(chunk, release);
        }, signal),
    },
    descriptor: (size) => {
      digest ??= `sha256:${hash?.digest("hex") ?? ""}` as Digest;
      if (info.size === undefined || info.size === size) return { ...info, digest, size };
      throw new CopyError(
        "size_mismatch",
        `the blob ${digest} has ${size} bytes, its manifest says ${info.size}`,
        { side: "source", phase: "blob", digest },
      );
    },
  };
}
