import type { Bytes } from "../bytes.ts";
import { baseOf, type Compression } from "../image/compression.ts";
import { CodecConverter } from "./codec-converter.ts";
import { converted } from "./converter.ts";
import { DEFAULT_LIMITS, within, type DecompressionLimits } from "./limits.ts";
import { ZlibConverter } from "./zlib-converter.ts";

/**
 * The bytes uncompressed, to the end of the last stream, member or frame. Fails with `layer_invalid`, the source's, where they are damaged,
 * cut short or followed by something else, and where more comes out than `limits` allow. What was lent before is not to be relied on.
 */
export function decompress(
  content: Bytes,
  compression: Compression,
  limits: DecompressionLimits = DEFAULT_LIMITS,
): Bytes {
  const algorithm = baseOf(compression);
  return within(limits, content, (compressed) =>
    converted(compressed, (outlet, signal) =>
      algorithm === "gzip" || algorithm === "zstd"
        ? new ZlibConverter(algorithm, outlet, signal)
        : new CodecConverter({ name: algorithm }, outlet, signal),
    ),
  );
}
