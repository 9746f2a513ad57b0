// One image: what may change, its blobs, its manifest, its signatures, in that order (semantics 1.3).

import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { copyBlobs, skipBlobs } from "./blobs.ts";
import type { Signature } from "./interfaces.ts";
import { writeImage } from "./manifests.ts";
import { hasBlobs, isThere } from "./present.ts";
import { prepareImage, type Copy, type Order } from "./prepare.ts";

/** What the destination has now. */
export interface Written {
  readonly manifest: RawManifest;
  readonly signatures: number;
  readonly skipped: boolean;
  /** Some of its layers are zstd: lists tell it of their instances. */
  readonly zstd: boolean;
}

/** Copies one image. */
export async function copySingle(copy: Copy, order: Order, signal: AbortSignal): Promise<Written> {
  const { report } = copy.control;
  const prepared = await prepareImage(copy, order, signal);
  const { manifest, instance, signatures } = prepared;
  if (await isThere(copy, prepared, signal)) {
    report({ type: "report", message: "Skipping: image already present at destination" });
    return {
      manifest,
      signatures: 0,
      skipped: true,
      zstd: hasZstd(prepared.layers.map(({ says }) => says)),
    };
  }
  const isWhole = await hasBlobs(copy, prepared, signal);
  const outcomes = isWhole ? skipBlobs(copy, prepared) : await copyBlobs(copy, prepared, signal);
  // An image of a list has no other name than its digest, and has that already.
  const written =
    isWhole && instance !== undefined
      ? { manifest, digest: prepared.digest }
      : await writeImage(copy, prepared, outcomes, signal);
  await putSignatures(copy, signatures, instance && written.digest, "Storing signatures", signal);
  return {
    manifest: written.manifest,
    signatures: signatures.length,
    skipped: false,
    zstd: hasZstd(outcomes.map(({ update }) => update.compression)),
  };
}

const hasZstd = (compressions: readonly (string | undefined)[]): boolean =>
  compressions.some((compression) => compression === "zstd" || compression === "zstd:chunked");

export async function putSignatures(
  { ends: { destination }, control: { report } }: Copy,
  signatures: readonly Signature[],
  instance: Digest | undefined,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  if (signatures.length === 0) return;
  report({ type: "report", message });
  await destination.putSignatures(signatures, instance, signal);
}
