// One image: what may change, its blobs, its manifest, its signatures, in that order (semantics 1.3).

import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { copyBlobs } from "./blobs.ts";
import type { Signature } from "./interfaces.ts";
import { writeImage } from "./manifests.ts";
import { prepareImage, type Copy, type Order, type Prepared } from "./prepare.ts";

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
  const outcomes = await copyBlobs(copy, prepared, signal);
  const written = await writeImage(copy, prepared, outcomes, signal);
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

/** `optimizeDestinationImageAlreadyExists`: nothing about the image would change, and the destination names it (semantics 2.5). */
export async function isThere(
  { ends: { destination }, options }: Copy,
  { instance, digest, signatures, types, image, embedded, variant }: Prepared,
  signal: AbortSignal,
): Promise<boolean> {
  if (
    !options.optimizeDestinationImageAlreadyExists ||
    signatures.length > 0 ||
    types.preferred !== image.mediaType ||
    embedded !== undefined ||
    variant !== undefined ||
    options.forceCompressionFormat ||
    // What refers to it may be new.
    (options.referrers && instance === undefined)
  )
    return false;
  return (await destination.findManifest(instance, signal))?.digest === digest;
}

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
