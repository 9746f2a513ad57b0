// What of an image, or of a list, the destination has already, so that it need not be asked about each part.

import { CopyError } from "../errors.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import type { Destination } from "./interfaces.ts";
import { mayReuse } from "./layers.ts";
import type { Copy, Prepared, PreparedList } from "./prepare.ts";

/**
 * Asks the destination, while the source is asked, what is sure to be wanted of it: what its reference names, where that matters, and whether
 * there is anything. What fails is told to whoever asks again.
 */
export function askAhead(
  destination: Destination,
  present: Copy["present"] | undefined,
  signal: AbortSignal,
): void {
  destination.approach?.(1, signal);
  const ask = async () => {
    if ((await present?.(signal)) === undefined) await destination.isEmpty?.(signal);
  };
  ask().catch(() => {});
}

/** `optimizeDestinationImageAlreadyExists`: nothing about the image would change, and the destination names it (semantics 2.5). */
export async function isThere(
  copy: Copy,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<boolean> {
  const { options, ends } = copy;
  const { instance, digest, signatures } = prepared;
  if (
    !options.optimizeDestinationImageAlreadyExists ||
    signatures.length > 0 ||
    !staysAsItIs(prepared) ||
    options.forceCompressionFormat ||
    // What refers to it may be new.
    (options.referrers && instance === undefined)
  )
    return false;
  const present =
    instance === undefined
      ? await copy.present(signal)
      : await ends.destination.findManifest(instance, signal);
  return present?.digest === digest;
}

/**
 * Whether the destination has the image's manifest, and so its blobs. Each of them would be found and reused, and the same manifest
 * written: one request tells it instead of one a blob (as oras does it; containers/image asks for each).
 */
export async function hasBlobs(
  copy: Copy,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<boolean> {
  const { destination } = copy.ends;
  if (!destination.traits.checksManifests || !staysAsItIs(prepared)) return false;
  if (!prepared.layers.every(({ says, wish }) => mayReuse(says, wish))) return false;
  if ((await destination.isEmpty?.(signal)) === true) return false;
  await approach(copy, prepared, signal);
  return (await destination.findManifest(prepared.digest, signal)) !== undefined;
}

/**
 * Opens connections for the blobs while the manifest is looked for. Not where the image's blobs are known to be in the destination's
 * registry: those are found, or mounted.
 */
async function approach(
  { ends: { source, destination, cache }, options: { maxParallelDownloads } }: Copy,
  { layers, config }: Prepared,
  signal: AbortSignal,
): Promise<void> {
  const registry = destination.location?.registry;
  const some = config ?? layers[0];
  if (some === undefined || registry === undefined || source.location?.registry === registry)
    return;
  const known = await cache.candidates(some.blob.digest, { registry, substitutes: false });
  if (known.some(({ from }) => from !== undefined)) return;
  const count = Math.min(layers.length + (config === undefined ? 0 : 1), maxParallelDownloads);
  for (const end of [source, destination]) end.approach?.(count, signal);
}

/** Whether a registry refuses a manifest because something that it names is not there (distribution-spec, "Error Codes"). */
export const missesParts = (error: unknown): error is CopyError =>
  error instanceof CopyError && MISSING.has(error.context.upstream?.code);

const MISSING: ReadonlySet<string | undefined> = new Set([
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_UNKNOWN",
  "BLOB_UNKNOWN",
]);

const staysAsItIs = ({ types, image, embedded, variant }: Prepared): boolean =>
  types.preferred === image.mediaType && embedded === undefined && variant === undefined;

/** "named": the destination's reference names the list, which may stay (`optimizeDestinationImageAlreadyExists`). "here": it has it with its images. */
export type ListPresence = "named" | "here" | undefined;

/**
 * Whether the destination has a list with all its images. Registries take lists of images that they do not have, so a list that is there is
 * taken for whole only where a copy of ours has made it so (`rememberWhole`). Each image is looked at all the same where a policy
 * must accept it, or its signatures are kept.
 */
export async function listPresence(
  copy: Copy,
  prepared: PreparedList,
  signal: AbortSignal,
): Promise<ListPresence> {
  const { destination, cache } = copy.ends;
  const { location, traits } = destination;
  if (location === undefined || !traits.checksManifests) return undefined;
  if (!isWhole(prepared) || !(await mayStay(copy, prepared, signal))) return undefined;
  const digest = manifestDigest(prepared.manifest);
  const { registry, repository } = location;
  const places = await cache.candidates(digest, { registry, substitutes: false });
  if (!places.some(({ from }) => from?.repository === repository)) return undefined;
  const { optimizeDestinationImageAlreadyExists: may, referrers } = copy.options;
  if (may && !referrers && (await copy.present(signal))?.digest === digest) return "named";
  return (await destination.findManifest(digest, signal)) === undefined ? undefined : "here";
}

/** Whether nothing about the list and its images would change, and no image must be looked at. */
async function mayStay(
  { ends: { source, policy }, options }: Copy,
  { manifest, signatures, types, orders }: PreparedList,
  signal: AbortSignal,
): Promise<boolean> {
  if (policy !== undefined || signatures.length > 0) return false;
  if (options.forceCompressionFormat || options.forceManifestMimeType !== undefined) return false;
  if (types.preferred !== manifest.mediaType) return false;
  if (options.removeSignatures) return true;
  for (const { instance } of orders.filter((order) => order.type !== "remove"))
    if ((await source.getSignatures(instance.digest, signal)).length > 0) return false;
  return true;
}

/** After `list` was written with all its images: it is known to be whole there. */
export async function rememberWhole(
  { ends: { destination, cache } }: Copy,
  prepared: PreparedList,
  list: RawManifest,
): Promise<void> {
  if (destination.location === undefined || !isWhole(prepared)) return;
  const { bytes } = list;
  await cache.record({
    digest: manifestDigest(list),
    size: bytes.length,
    at: destination.location,
  });
}

/** All its images, and nothing else, are to be copied. */
const isWhole = ({ orders, count }: PreparedList): boolean =>
  orders.length === count && orders.every(({ type }) => type === "copy");
