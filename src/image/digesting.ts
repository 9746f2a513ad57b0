import { createHash } from "node:crypto";
import type { Bytes } from "../bytes.ts";
import type { Digest } from "./digest.ts";

/** The same content; once it has been poured, `digest` and `size` tell what it was. */
export function digesting(content: Bytes): {
  readonly content: Bytes;
  readonly digest: () => Digest;
  readonly size: () => number;
} {
  const hash = createHash("sha256");
  let size = 0;
  return {
    content: {
      pour: (sink, signal) =>
        content.pour((chunk, release) => {
          hash.update(chunk);
          size += chunk.length;
          sink(chunk, release);
        }, signal),
    },
    digest: () => `sha256:${hash.copy().digest("hex")}`,
    size: () => size,
  };
}
