// A list and its images: the images first, each as single.ts does it, then the list's own manifest (semantics 1.5).

import { CopyError } from "../errors.ts";
import { editList, type ListOperation } from "../image/manifest/list-edit.ts";
import { parseList } from "../image/manifest/list.ts";
import { manifestDigest, type Instance, type RawManifest } from "../image/manifest/manifest.ts";
import { checkDestinationDigest, chooseListTypes, mayChange, type MayChange } from "./decide.ts";
import { group } from "./group.ts";
import { planInstances, type InstanceOrder } from "./instances.ts";
import { LocalSemaphore } from "./semaphore.ts";
import { getSignatures, type Copy, type PreparedList } from "./prepare.ts";
import { listPresence, missesParts, rememberWhole } from "./present.ts";
import { copySingle, putSignatures, type Written } from "./single.ts";
import { typeByType } from "./type-by-type.ts";

/** Images of a list at once: enough to keep the blobs' permits busy, few enough that manifests do not fill the memory. */
const IMAGES_AT_ONCE = 4;

/** Reads and decides; writes nothing. Plans end here. */
export async function prepareList(
  copy: Copy,
  manifest: RawManifest,
  signal: AbortSignal,
): Promise<PreparedList> {
  const {
    ends: { destination },
    options,
    sourceDigest,
  } = copy;
  const list = parseList(manifest);
  const signatures = await getSignatures(copy, undefined, "image list", signal);
  checkDestinationDigest(destination.digest, [sourceDigest]);
  const may = mayChange({
    keptSignatures: signatures.length,
    destinationDigest: destination.digest,
    preserveDigests: options.preserveDigests,
    referrers: options.referrers,
  });
  const types = chooseListTypes({
    own: manifest.mediaType,
    accepted: destination.traits.manifestTypes,
    forced: options.forceManifestMimeType,
    may,
  });
  const orders = planInstances(list, options);
  if (may !== true && orders.some(({ type }) => type !== "copy"))
    throw new CopyError(
      "digest_not_preserved",
      `the list would get or lose entries, and must not change: ${may.reason}`,
      { side: "destination", phase: "manifest" },
    );
  return { manifest, signatures, may, types, orders, count: list.instances.length };
}

/** Copies the chosen images of a list, then the list; entries that were not chosen stay named in it, unless they are to be stripped. */
export async function copyMultiple(
  copy: Copy,
  manifest: RawManifest,
  signal: AbortSignal,
): Promise<Written> {
  const {
    control: { report },
  } = copy;
  const prepared = await prepareList(copy, manifest, signal);
  const presence = await listPresence(copy, prepared, signal);
  if (presence === "named") {
    report({ type: "report", message: "Skipping: image list already present at destination" });
    return { manifest, signatures: 0, skipped: true, zstd: false };
  }
  const operations = presence === "here" ? [] : await copyImages(copy, prepared, signal);
  const list = await writeList(copy, prepared, operations, signal);
  await rememberWhole(copy, prepared, list);
  await putSignatures(copy, prepared.signatures, undefined, "Storing list signatures", signal);
  return {
    manifest: list,
    signatures: prepared.signatures.length,
    skipped: false,
    zstd: false,
  };
}

/** Copies the images, and tells what the list has to say of them. */
async function copyImages(
  copy: Copy,
  { orders, count, may }: PreparedList,
  signal: AbortSignal,
): Promise<readonly ListOperation[]> {
  const {
    control: { report },
  } = copy;
  const images = orders.filter((order) => order.type !== "remove");
  report({
    type: "report",
    message: `Copying ${images.length} images generated from ${count} images in list`,
  });
  const atOnce = new LocalSemaphore(IMAGES_AT_ONCE);
  const copyOnce = imagesOf(copy, may);
  const operations: (ListOperation | undefined)[] = [];
  // An image's clones come after all images: a layer that a clone has just compressed must not take the place of the image's own.
  for (const wanted of ["copy", "clone"] as const)
    await group(
      signal,
      images.flatMap((order, i) =>
        order.type !== wanted
          ? []
          : (either: AbortSignal) =>
              atOnce.run(async (own) => {
                const verb = order.type === "clone" ? "Replicating" : "Copying";
                const image = `${order.instance.digest} (${i + 1}/${images.length})`;
                report({ type: "report", message: `${verb} image ${image}` });
                operations[i] = operationFor(order, await copyOnce(order, own), may);
              }, either),
      ),
    );
  const removed = orders.filter((order) => order.type === "remove");
  return [...operations.filter((operation) => operation !== undefined), ...removed];
}

type CopyOrder = Exclude<InstanceOrder, { type: "remove" }>;

/** Copies a list's images. One that it names a thousand times is copied once for each form that it is wanted in. */
function imagesOf(
  copy: Copy,
  may: MayChange,
): (order: CopyOrder, signal: AbortSignal) => Promise<Written> {
  const begun = new Map<string, Promise<Written>>();
  return (order, signal) => {
    const { digest, mediaType, size } = order.instance;
    const variant = order.type === "clone" ? { variant: order.variant } : {};
    const key = JSON.stringify([digest, mediaType, size, variant]);
    const copyImage = async () => {
      const manifest = await getInstance(copy.ends.source, order.instance, signal);
      const image = { manifest, from: digest, instance: digest, may, ...variant };
      return copySingle(copy, image, signal);
    };
    const copying = begun.get(key) ?? copyImage();
    begun.set(key, copying);
    return copying;
  };
}

/** What the list has to say of an image that was written; undefined where it says so already, or must not change. */
function operationFor(
  { index, type }: CopyOrder,
  { manifest, zstd }: Written,
  may: MayChange,
): ListOperation | undefined {
  const { mediaType, bytes } = manifest;
  const written = { digest: manifestDigest(manifest), size: bytes.length, mediaType, zstd };
  if (type === "clone") return { type: "add", like: index, ...written };
  // What may not change did not: the images are bound by their list's reasons.
  return may === true ? { type: "update", index, ...written } : undefined;
}

async function writeList(
  { ends: { destination, host }, control: { report }, referrers }: Copy,
  { manifest, types, orders, count }: PreparedList,
  operations: readonly ListOperation[],
  signal: AbortSignal,
): Promise<RawManifest> {
  report({ type: "report", message: "Writing manifest list to image destination" });
  const isSparse = new Set(orders.map(({ index }) => index)).size < count;
  const images = orders.flatMap((order) => (order.type === "remove" ? [] : order.instance.digest));
  const put = async (list: RawManifest): Promise<void> => {
    await referrers?.copyFirst(list, images, signal);
    await destination.putManifest(list, undefined, signal);
  };
  const write = async (mediaType: string): Promise<RawManifest> => {
    const list = editList(manifest, { mediaType, operations }, host);
    await put(list).catch((error: unknown) => Promise.reject(isSparse ? explained(error) : error));
    return list;
  };
  return typeByType(types, write, signal);
}

/** A registry that takes no list of images that it does not have will not take it the next time either. */
function explained(error: unknown): unknown {
  if (!missesParts(error)) return error;
  return new CopyError(
    "manifest_rejected",
    "the registry takes no list that names images which it does not have: copy all of them, or say `sparseManifestListAction: strip`",
    error.context,
    error,
  );
}

/** An instance's manifest. The list's word and the source's must agree on what it is, and how large (reliability T17, T19). */
export async function getInstance(
  source: Copy["ends"]["source"],
  { digest, mediaType, size }: Instance,
  signal: AbortSignal,
): Promise<RawManifest> {
  const manifest = await source.getManifest(digest, signal);
  const context = { side: "source", phase: "manifest", digest } as const;
  if (manifest.mediaType !== mediaType)
    throw new CopyError(
      "manifest_invalid",
      `the list calls ${digest} \`${mediaType}\`, it was served as \`${manifest.mediaType}\``,
      context,
    );
  if (manifest.bytes.length === size) return manifest;
  throw new CopyError(
    "size_mismatch",
    `the list gives ${digest} ${size} bytes, it has ${manifest.bytes.length}`,
    context,
  );
}
