import { CopyError } from "../../errors.ts";
import type { NamedBlob } from "../../image/blob-info.ts";
import { algorithmOf, hashFor } from "../../image/digest.ts";
import type { Step } from "../interfaces.ts";

/**
 * Fails with `digest_mismatch` or `size_mismatch` if the bytes are not those that the blob's name and size say. Where the size is
 * known, the chunk that completes the blob is lent only when the digest fits, so that no destination ever holds all bytes of a wrong
 * blob; reading stops at the first byte too many.
 */
export const verify =
  (expected: NamedBlob): Step =>
  ({ content, ...blob }) => ({
    ...blob,
    content: {
      pour: async (sink, signal) => {
        const hash = hashFor(expected.digest);
        const wrong = new AbortController();
        let received = 0;
        await content.pour(
          (chunk, release) => {
            if (wrong.signal.aborted) return release();
            received += chunk.length;
            hash.update(chunk);
            const error =
              expected.size === undefined || received < expected.size
                ? undefined
                : fault(expected, received, () => hash.digest("hex"));
            if (error === undefined) return sink(chunk, release);
            wrong.abort(error);
            release();
          },
          AbortSignal.any([signal, wrong.signal]),
        );
        wrong.signal.throwIfAborted();
        const error =
          received === expected.size && received > 0
            ? undefined
            : fault(expected, received, () => hash.digest("hex"));
        if (error !== undefined) throw error;
      },
    },
  });

/** What is wrong with a blob of which `received` bytes came; `hex` is asked for only if the length fits. */
function fault(
  { digest, size }: NamedBlob,
  received: number,
  hex: () => string,
): CopyError | undefined {
  const context = { side: "source", phase: "blob", digest } as const;
  if (size !== undefined && received !== size)
    return new CopyError(
      "size_mismatch",
      `expected ${size} bytes, got ${received < size ? received : "more"}`,
      context,
    );
  const actual = `${algorithmOf(digest)}:${hex()}`;
  return actual === digest
    ? undefined
    : new CopyError("digest_mismatch", `expected ${digest}, got ${actual}`, context);
}
