// One image: what may change, its blobs, its manifest, its signatures, in that order (semantics 1.3).

import { CopyError } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import { manifestDigest, type Image, type RawManifest } from "../image/manifest/manifest.ts";
import { parseImage } from "../image/manifest/parse.ts";
import { isList } from "../image/media-types.ts";
import { copyBlob, type Blob } from "./blob.ts";
import {
  checkDestinationDigest,
  chooseManifestType,
  mayChange,
  requireSameType,
} from "./decide.ts";
import { group } from "./group.ts";
import type { CopyControl, CopyEnds, Semaphore, Signature } from "./interfaces.ts";
import type { CopyOptions } from "./options.ts";

/** What the images of one copy share. */
export interface Copy {
  readonly ends: CopyEnds;
  readonly options: CopyOptions;
  readonly control: CopyControl;
  /** The digest of what the source reference names. */
  readonly sourceDigest: Digest;
  /** `maxParallelDownloads`; its permit is taken before the shared one, so that a copy that may not go on holds nothing. */
  readonly parallel: Semaphore;
  /** Blobs of this copy that are under way or done: one that several images share is moved once. */
  readonly blobs: Map<Digest, Promise<void>>;
}

export interface Written {
  readonly manifest: RawManifest;
  readonly signatures: number;
  readonly skipped: boolean;
}

/** Copies one image. `instance`: its digest as an entry of a list; undefined: it becomes what the destination reference names. */
export async function copySingle(
  copy: Copy,
  manifest: RawManifest,
  instance: Digest | undefined,
  signal: AbortSignal,
): Promise<Written> {
  const {
    ends: { destination },
    options,
    control: { report },
    sourceDigest,
  } = copy;
  if (isList(manifest.mediaType))
    throw new CopyError(
      "manifest_invalid",
      "a list names another list, where an image is expected",
      { side: "source", phase: "manifest" },
    );
  const image = parseImage(manifest);
  const signatures = await getSignatures(copy, instance, "image", signal);
  const digest = manifestDigest(manifest);
  if (instance === undefined) checkDestinationDigest(destination.digest, [digest, sourceDigest]);
  checkType(copy, manifest, signatures);

  if (
    options.optimizeDestinationImageAlreadyExists &&
    signatures.length === 0 &&
    (await destination.findManifest(instance, signal))?.digest === digest
  ) {
    report({ type: "report", message: "Skipping: image already present at destination" });
    return { manifest, signatures: 0, skipped: true };
  }
  await copyBlobs(copy, image, signal);
  report({ type: "report", message: "Writing manifest to image destination" });
  await destination.putManifest(manifest, instance, signal);
  await putSignatures(copy, signatures, instance, "Storing signatures", signal);
  return { manifest, signatures: signatures.length, skipped: false };
}

/** Throws where the destination takes the manifest only as another type than it has. */
export function checkType(
  { ends: { destination }, options }: Copy,
  { mediaType }: RawManifest,
  signatures: readonly Signature[],
): void {
  const may = mayChange({
    keptSignatures: signatures.length,
    destinationDigest: destination.digest,
    preserveDigests: options.preserveDigests,
  });
  requireSameType(mediaType, chooseManifestType(mediaType, destination.traits.manifestTypes, may));
}

async function copyBlobs(copy: Copy, image: Image, signal: AbortSignal): Promise<void> {
  const {
    control: { report },
  } = copy;
  const blobs = blobsOf(image);
  report({ type: "planned", artifacts: blobs.map(({ artifact }) => artifact) });
  await group(
    signal,
    blobs.map((blob) => (either) => copyBlobOnce(copy, blob, either)),
  );
}

function copyBlobOnce(copy: Copy, blob: Blob, signal: AbortSignal): Promise<void> {
  const { ends, options, control, parallel, blobs } = copy;
  const { digest } = blob.descriptor;
  const begun = blobs.get(digest);
  if (begun !== undefined) return begun;
  const task = parallel.run(
    (own) =>
      control.blobs.run(
        (permitted) => copyBlob(blob, ends, options, control.report, permitted),
        own,
      ),
    signal,
  );
  blobs.set(digest, task);
  return task;
}

/** The layers, root first, then the config; no digest twice. */
export function blobsOf(image: Image): readonly Blob[] {
  const { config, layers } = described(image);
  const blobs = [
    ...layers.map((descriptor, index): Blob => ({
      descriptor,
      artifact: { ...named(descriptor), kind: "layer", index },
    })),
    { descriptor: config, artifact: { ...named(config), kind: "config" as const, index: 0 } },
  ];
  return [...new Map(blobs.map((blob) => [blob.descriptor.digest, blob] as const)).values()];
}

/** An image whose blobs have types and sizes. Throws for docker schema 1, which tells neither. */
function described({ config, layers }: Image) {
  const sized = layers.flatMap((layer) =>
    layer.size === undefined ? [] : [{ ...layer, size: layer.size }],
  );
  if (config !== undefined && sized.length === layers.length) return { config, layers: sized };
  throw new CopyError(
    "manifest_invalid",
    "the manifest is docker schema 1, which this version does not copy",
    { side: "source", phase: "manifest" },
  );
}

const named = ({ digest, size, mediaType }: Blob["descriptor"]) => ({ digest, size, mediaType });

/** The signatures that are to be kept. Throws where there are some and the destination has no place for them. */
export async function getSignatures(
  { ends: { source, destination }, options, control: { report } }: Copy,
  instance: Digest | undefined,
  of: "image" | "image list",
  signal: AbortSignal,
): Promise<readonly Signature[]> {
  if (options.removeSignatures) return [];
  report({ type: "report", message: `Getting ${of} ${of === "image" ? "source " : ""}signatures` });
  const signatures = await source.getSignatures(instance, signal);
  if (signatures.length === 0) return signatures;
  report({ type: "report", message: `Checking if ${of} destination supports signatures` });
  if (destination.traits.signatures) return signatures;
  throw new CopyError(
    "signing_failed",
    `the image has ${signatures.length} signature(s), and \`${destination.name}\` has no place for them: set \`removeSignatures\``,
    { side: "destination", phase: "signatures" },
  );
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
