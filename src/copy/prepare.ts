// The reading half of copying one image: what it is, what may change, and what is to become of it (semantics 1.3, steps 1 to 15).
// Plans end here.

import { CopyError } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import { canChangeCompression, compressionOf } from "../image/manifest/layer-types.ts";
import {
  manifestDigest,
  type Image,
  type Layer,
  type RawManifest,
} from "../image/manifest/manifest.ts";
import { parseImage } from "../image/manifest/parse.ts";
import { parseSchema1 } from "../image/manifest/schema1.ts";
import { isList, isSchema1 } from "../image/media-types.ts";
import {
  checkDestinationDigest,
  chooseImageTypes,
  mayChange,
  type MayChange,
  type TypePlan,
} from "./decide.ts";
import type { CopyControl, CopyEnds, FoundManifest, Semaphore, Signature } from "./interfaces.ts";
import type { KnownCompression } from "./blob-info-cache.ts";
import type { InstanceOrder } from "./instances.ts";
import type { LayerWish } from "./layers.ts";
import type { CompressionVariant, CopyOptions } from "./options.ts";
import type { ReferrerCopy } from "./referrers.ts";
import type { BlobOutcome, BlobTask } from "./task.ts";

/** What the images of one copy share. */
export interface Copy {
  readonly ends: CopyEnds;
  readonly options: CopyOptions;
  readonly control: CopyControl;
  /** The digest of what the source reference names. */
  readonly sourceDigest: Digest;
  /** What the destination reference names; asked once. */
  readonly present: (signal: AbortSignal) => Promise<FoundManifest | undefined>;
  /** `maxParallelDownloads`; its permit is taken before the shared one, so that a copy that may not go on holds nothing. */
  readonly parallel: Semaphore;
  /** Blobs of this copy that are under way or done: one that several images share is moved once. */
  readonly blobs: Map<string, Promise<BlobOutcome>>;
  /** Absent: not wanted. */
  readonly referrers?: ReferrerCopy;
}

/** Which image of the source, and as what. */
export interface Order {
  readonly manifest: RawManifest;
  /** Its digest as an entry of the source's list; undefined: it is what the source reference names. */
  readonly from: Digest | undefined;
  /** Its digest as an entry of the destination's list; undefined: it becomes what the destination reference names. */
  readonly instance: Digest | undefined;
  /** Whether the list that it is an entry of may change; absent: there is none. */
  readonly may?: MayChange;
  /** The compression that this copy of the image is for, beside the usual one. */
  readonly variant?: CompressionVariant;
  /** It only refers to an image: the policy is for images, and nobody signs a signature. */
  readonly isReferrer?: boolean;
}

/** One image, and all that was decided about it. */
export interface Prepared extends Order {
  readonly image: Image;
  readonly digest: Digest;
  readonly signatures: readonly Signature[];
  readonly types: TypePlan;
  /** The name inside a schema 1 manifest that must become the destination's. */
  readonly embedded: { readonly repository: string; readonly tag: string } | undefined;
  readonly layers: readonly BlobTask[];
  readonly config: BlobTask | undefined;
}

/** A list, and all that was decided about it. */
export interface PreparedList {
  readonly manifest: RawManifest;
  readonly signatures: readonly Signature[];
  readonly may: MayChange;
  readonly types: TypePlan;
  readonly orders: readonly InstanceOrder[];
  /** How many images it names. */
  readonly count: number;
}

/** Reads and decides; writes nothing. Throws what the image, the source or a decision refuses. */
export async function prepareImage(
  copy: Copy,
  order: Order,
  signal: AbortSignal,
): Promise<Prepared> {
  const {
    ends: { destination, compression },
    options,
    sourceDigest,
  } = copy;
  const { manifest, from, instance, variant } = order;
  if (isList(manifest.mediaType)) throw nested();
  await checkPolicy(copy, order, signal);
  const image = parseImage(manifest);
  const signatures = await getSignatures(copy, from, "image", signal);
  const digest = manifestDigest(manifest);
  if (instance === undefined) checkDestinationDigest(destination.digest, [digest, sourceDigest]);
  const { may: listMay = true } = order;
  const may =
    listMay === true
      ? mayChange({
          keptSignatures: signatures.length,
          destinationDigest: destination.digest,
          preserveDigests: options.preserveDigests,
          referrers: options.referrers,
        })
      : listMay;
  const format = variant?.algorithm ?? compression.format;
  const types = chooseImageTypes({
    own: image.mediaType,
    accepted: destination.traits.manifestTypes,
    forced: options.forceManifestMimeType,
    may,
    compression: format,
  });
  const wish: LayerWish = {
    layers: destination.traits.layers,
    required: variant !== undefined || options.forceCompressionFormat,
    types: [types.preferred, ...types.others],
    ...(format !== undefined && { format }),
    ...levelOf(variant ?? compression),
  };
  const embedded = renamed(manifest, image, destination);
  if (embedded !== undefined && may !== true)
    throw new CopyError(
      "digest_not_preserved",
      `the schema 1 manifest would have to be renamed for \`${destination.name}\`, and must not change: ${may.reason}`,
      { side: "destination", phase: "manifest" },
    );
  const needsDiffId = isSchema1(image.mediaType) && !isSchema1(types.preferred);
  const layers = image.layers.map((layer, index): BlobTask => {
    const says = saidOf(layer);
    const mayConvert = may === true && canChangeCompression(image, layer.mediaType);
    return { ...named(layer, "layer", index), says, wish, mayConvert, needsDiffId };
  });
  const config = image.config && configTask(image.config, wish);
  return { ...order, image, digest, signatures, types, embedded, layers, config };
}

/** Asks for a verdict on the manifest as it was read, and all its signatures, before anything else is made of it. */
async function checkPolicy(
  { ends: { source, policy } }: Copy,
  { manifest, from, isReferrer }: Order,
  signal: AbortSignal,
): Promise<void> {
  if (isReferrer) return;
  const signatures = () => source.getSignatures(from, signal);
  await policy?.check({ manifest, signatures }, signal);
}

/** What the manifest says of a layer's compression. */
function saidOf({ mediaType, annotations }: Layer): KnownCompression | undefined {
  const { operation, compression } = compressionOf(mediaType, annotations);
  return operation === "decompress" ? "none" : compression;
}

/** A config is never compressed, and never another one's. */
export const configTask = (config: Layer, wish: LayerWish): BlobTask => ({
  ...named(config, "config", 0),
  says: undefined,
  wish: { layers: "preserve", required: false, types: wish.types },
  mayConvert: false,
  needsDiffId: false,
});

const named = (blob: Layer, kind: "config" | "layer", index: number) => ({
  blob,
  artifact: {
    digest: blob.digest,
    size: blob.size ?? null,
    mediaType: blob.mediaType,
    kind,
    index,
  },
});

const levelOf = ({ level }: { readonly level?: number }) => (level === undefined ? {} : { level });

/** What the manifest of a schema 1 image is to call it; undefined where the destination has no name for it. */
export function nameFor({ dockerReference }: CopyEnds["destination"]): Prepared["embedded"] {
  if (dockerReference === undefined) return undefined;
  const { repository, tag = "" } = dockerReference;
  return { repository, tag };
}

/** The name that a schema 1 manifest must get; undefined where it has it, or the destination has none for it. */
function renamed(
  manifest: RawManifest,
  { mediaType }: Image,
  destination: CopyEnds["destination"],
): Prepared["embedded"] {
  const name = nameFor(destination);
  if (name === undefined || !isSchema1(mediaType)) return undefined;
  const own = parseSchema1(manifest);
  return own.name === name.repository && own.tag === name.tag ? undefined : name;
}

const nested = (): CopyError =>
  new CopyError("manifest_invalid", "a list names another list, where an image is expected", {
    side: "source",
    phase: "manifest",
  });

/** The signatures that are to be kept. Throws where there are some and the destination has no place for them. */
export async function getSignatures(
  { ends: { source, destination }, options, control: { report } }: Copy,
  instance: Digest | undefined,
  of: "image" | "image list",
  signal: AbortSignal,
): Promise<readonly Signature[]> {
  if (options.removeSignatures || (of === "image list" && options.removeListSignatures)) return [];
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
