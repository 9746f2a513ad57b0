import type { Bytes } from "../../bytes.ts";

/** The same content; once it has been poured, `head` tells its first `count` bytes, `size` how many there were. */
export function sniffing(
  content: Bytes,
  count: number,
): { readonly content: Bytes; readonly head: () => Buffer; readonly size: () => number } {
  const head = Buffer.alloc(count);
  let size = 0;
  return {
    content: {
      pour: (sink, signal) =>
        content.pour((chunk, release) => {
          if (size < count) chunk.copy(head, size);
          size += chunk.length;
          sink(chunk, release);
        }, signal),
    },
    head: () => head.subarray(0, Math.min(size, count)),
    size: () => size,
  };
}
