// How much may come out of compressed bytes: a few of them can stand for more than any disk holds (reliability T24).

import type { Bytes } from "../bytes.ts";
import { layerInvalid } from "./layer-invalid.ts";

export interface DecompressionLimits {
  /** Bytes that may come out of one blob. */
  readonly bytes: number;
  /** How many bytes may come out for one that goes in, once `freeBytes` have come out. */
  readonly ratio: number;
  readonly freeBytes: number;
}

/**
 * More than any registry takes of one layer. gzip cannot exceed 1,028 to 1, so the ratio stops the other algorithms' bombs, and the
 * number of bytes gzip's.
 */
export const DEFAULT_LIMITS: DecompressionLimits = {
  bytes: 1024 ** 4,
  ratio: 2000,
  freeBytes: 64 * 1024 ** 2,
};

/** What `convert` makes of the content, as long as it keeps within the limits; fails with `layer_invalid` at the first byte too many. */
export function within(
  limits: DecompressionLimits,
  content: Bytes,
  convert: (content: Bytes) => Bytes,
): Bytes {
  let read = 0;
  let written = 0;
  const converted = convert({
    pour: (sink, signal) =>
      content.pour((chunk, release) => {
        read += chunk.length;
        sink(chunk, release);
      }, signal),
  });
  return {
    pour: async (sink, signal) => {
      const over = new AbortController();
      await converted.pour(
        (chunk, release) => {
          if (over.signal.aborted) return release();
          written += chunk.length;
          const fault = faultOf(read, written, limits);
          if (fault === undefined) return sink(chunk, release);
          over.abort(layerInvalid(fault));
          release();
        },
        AbortSignal.any([signal, over.signal]),
      );
      over.signal.throwIfAborted();
    },
  };
}

/** What is too much about `written` bytes that came out of `read` ones; undefined: nothing. */
export function faultOf(
  read: number,
  written: number,
  limits: DecompressionLimits,
): string | undefined {
  if (written > limits.bytes) return `the layer has more than ${limits.bytes} bytes uncompressed`;
  if (written > limits.freeBytes && written > read * limits.ratio)
    return `the layer is a decompression bomb: more than ${limits.ratio} bytes come out for each one that goes in`;
  return undefined;
}
