// One image: what may change, its blobs, its manifest, its signatures, in that order (semantics 1.3).

import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { copyBlobs, skipBlobs } from "./blobs.ts";
import type { Signature } from "./interfaces.ts";
import { writeImage, type WrittenManifest } from "./manifests.ts";
import { hasBlobs, isThere, missesParts } from "./present.ts";
import { prepareImage, type Copy, type Order, type Prepared } from "./prepare.ts";
import type { BlobOutcome } from "./task.ts";

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
  // An image of a list has no other name than its digest, and has that already.
  const { written, outcomes } =
    isWhole && instance !== undefined
      ? { written: { manifest, digest: prepared.digest }, outcomes: skipBlobs(copy, prepared) }
      : await writeWhole(copy, prepared, isWhole, signal);
  await putSignatures(copy, signatures, instance && written.digest, "Storing signatures", signal);
  return {
    manifest: written.manifest,
    signatures: signatures.length,
    skipped: false,
    zstd: hasZstd(outcomes.map(({ update }) => update.compression)),
  };
}

/**
 * Blobs, if they are not there, then the manifest. What a registry said that it has, it may have lost by then, or all the time: where it refuses
 * the manifest for that, each blob is looked for once more, and moved if need be.
 */
async function writeWhole(
  copy: Copy,
  prepared: Prepared,
  isWhole: boolean,
  signal: AbortSignal,
): Promise<{ readonly written: WrittenManifest; readonly outcomes: readonly BlobOutcome[] }> {
  const first = isWhole ? skipBlobs(copy, prepared) : await copyBlobs(copy, prepared, signal);
  try {
    return { written: await writeImage(copy, prepared, first, signal), outcomes: first };
  } catch (error) {
    if (!missesParts(error)) throw error;
    copy.control.report({ type: "report", message: "Looking again for blobs that are missing" });
    const outcomes = await copyBlobs(copy, prepared, signal, "again");
    return { written: await writeImage(copy, prepared, outcomes, signal), outcomes };
  }
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
