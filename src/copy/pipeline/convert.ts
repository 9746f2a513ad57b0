import type { Bytes } from "../../bytes.ts";
import { compress } from "../../compression/compress.ts";
import { decompress } from "../../compression/decompress.ts";
import type { Compression } from "../../image/compression.ts";
import type { Digest } from "../../image/digest.ts";
import { digesting } from "../../image/digesting.ts";
import type { Conversion } from "../layers.ts";
import { tee } from "./tee.ts";

/** Content on its way through a conversion; what it tells can be asked for when it has been poured. */
export interface Converted {
  readonly content: Bytes;
  /** What the new compression says of itself. */
  readonly annotations: () => Readonly<Record<string, string>>;
  /** Of the content uncompressed, where it was uncompressed on the way. */
  readonly uncompressed: () => Promise<Digest | undefined>;
}

/** Changes bytes as was decided. `needsDiffId`: they are uncompressed beside it where the conversion does not do that itself. */
export function convert(
  content: Bytes,
  given: {
    readonly detected: Compression | undefined;
    readonly conversion: Conversion;
    readonly level: number | undefined;
    readonly needsDiffId: boolean;
  },
): Converted {
  const { detected, conversion, level, needsDiffId } = given;
  switch (conversion.action) {
    case "keep":
      return detected === undefined || !needsDiffId
        ? { ...untold, content }
        : { ...untold, ...withDiffId(content, detected) };
    case "compress":
      return { ...untold, ...compress(content, conversion.to, level) };
    case "decompress":
      return { ...untold, content: plain(content, detected) };
    case "recompress": {
      const uncompressed = digesting(plain(content, detected));
      return {
        ...compress(uncompressed.content, conversion.to, level),
        uncompressed: async () => uncompressed.digest(),
      };
    }
  }
}

const untold = { annotations: () => ({}), uncompressed: async () => undefined } as const;

const plain = (content: Bytes, detected: Compression | undefined): Bytes =>
  detected === undefined ? content : decompress(content, detected);

/** The same bytes; beside them they are uncompressed to see what they are. */
function withDiffId(
  content: Bytes,
  detected: Compression,
): Pick<Converted, "content" | "uncompressed"> {
  const teed = tee(content, async (copy, signal) => {
    const { content: seen, digest } = digesting(decompress(copy, detected));
    await seen.pour((_chunk, release) => release(), signal);
    return digest();
  });
  return { content: teed.content, uncompressed: teed.result };
}
