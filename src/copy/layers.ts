// What becomes of a layer (semantics 4.1, 4.3, 4.4, 4.6): functions from data to data.

import type { NamedBlob } from "../image/blob-info.ts";
import { baseOf, type Compression } from "../image/compression.ts";
import type { KnownCompression } from "./blob-info-cache.ts";
import { canHold } from "./decide.ts";
import type { DestinationTraits } from "./interfaces.ts";
import type { CompressionFormat, CompressionWish, CopyOptions } from "./options.ts";

/** A layer that stays where its URLs point (semantics 4.3). */
export const staysForeign = (
  layer: NamedBlob,
  traits: Pick<DestinationTraits, "keepsForeignLayers">,
  options: Pick<CopyOptions, "downloadForeignLayers">,
): boolean =>
  layer.urls !== undefined && traits.keepsForeignLayers && !options.downloadForeignLayers;

/** What layers of one image are to be at the destination. */
export interface LayerWish extends CompressionWish {
  /** Of the destination (its trait). */
  readonly layers: DestinationTraits["layers"];
  /** Only blobs in `format` are reused. */
  readonly required: boolean;
  /** Manifest types that may be written, in one of which the layer must find its place. */
  readonly types: readonly string[];
}

/**
 * Whether a blob that exists may take the layer's place (semantics 4.4, CandidateCompressionMatchesReuseConditions): in the format
 * asked for, where that is required, and one that a manifest that may be written can name.
 */
export function mayReuse(
  compression: KnownCompression | undefined,
  { format, required, types }: Pick<LayerWish, "format" | "required" | "types">,
): boolean {
  const known = compression === "none" ? undefined : compression;
  if (required && format !== undefined) {
    if (known === undefined || (known !== format && baseOf(known) !== format)) return false;
  }
  return known === undefined || types.length === 0 || types.some((type) => canHold(type, known));
}

/** How a layer's bytes are changed on their way, and how the manifest's type for it changes with them. */
export type Conversion =
  | {
      readonly action: "keep";
      readonly operation: "preserve" | "decompress";
      readonly compression: Compression | undefined;
    }
  | {
      readonly action: "compress";
      readonly to: CompressionFormat;
      readonly operation: "compress";
      readonly compression: CompressionFormat;
    }
  | {
      readonly action: "recompress";
      readonly to: CompressionFormat;
      readonly operation: "preserve";
      readonly compression: CompressionFormat;
    }
  | {
      readonly action: "decompress";
      readonly operation: "decompress";
      readonly compression: undefined;
    };

/** A layer of which nothing is known but what its media type says, or that may not change. */
export const UNTOUCHED: Conversion = {
  action: "keep",
  operation: "preserve",
  compression: undefined,
};

/**
 * What happens to a layer whose first bytes told `detected` (semantics 4.6, the first row that fits). `mayConvert`: the manifest may
 * change, and can name the layer otherwise; an encrypted layer never can.
 */
export function decideConversion(
  detected: Compression | undefined,
  wish: Pick<LayerWish, "layers" | "format">,
  mayConvert: boolean,
): Conversion {
  if (!mayConvert) return UNTOUCHED;
  const { layers, format } = wish;
  if (layers === "compress" && detected === undefined) {
    const to = format ?? "gzip";
    return { action: "compress", to, operation: "compress", compression: to };
  }
  if (
    layers === "compress" &&
    detected !== undefined &&
    format !== undefined &&
    format !== detected &&
    format !== baseOf(detected)
  )
    return { action: "recompress", to: format, operation: "preserve", compression: format };
  if (layers === "decompress" && detected !== undefined)
    return { action: "decompress", operation: "decompress", compression: undefined };
  return {
    action: "keep",
    operation: detected === undefined ? "decompress" : "preserve",
    compression: detected,
  };
}
