// The engine: opens nothing and knows no transport. It is given two ends, decides what is to be copied, moves blobs under permits, and
// writes the manifests that name them: layers and config, then their manifest, then the list, then commit (semantics 1.1).

import { parseList } from "../image/manifest/list.ts";
import { CopyError } from "../errors.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { isList } from "../image/media-types.ts";
import { decideAboutTag } from "./decide.ts";
import { chooseInstance } from "./instances.ts";
import type { CopyControl, CopyEnds, CopyResult } from "./interfaces.ts";
import type { CopyOptions } from "./options.ts";
import { Learnt } from "./learnt.ts";
import { copyMultiple, getInstance } from "./multiple.ts";
import { LocalSemaphore } from "./semaphore.ts";
import type { Copy, Order } from "./prepare.ts";
import { askAhead } from "./present.ts";
import { checkReferrers, ReferrerCopy } from "./referrers.ts";
import { copySingle, type Written } from "./single.ts";

/**
 * Copies an image, or a list of them. Resolves once the destination reference names the copy; until then it names what it named before.
 * Nothing is rolled back on failure: blobs that are complete stay, and the next attempt finds them. Throws CopyError, or the reason of
 * `control.signal`.
 */
export async function copyImage(
  { cache, ...others }: CopyEnds,
  options: CopyOptions,
  control: CopyControl,
): Promise<CopyResult> {
  await using learnt = new Learnt(cache);
  const ends = { ...others, cache: learnt };
  const { source, destination } = ends;
  const { signal } = control;
  checkReferrers(options.referrers, destination);
  const present = presentAt(destination, options);
  const { ifTagExists, optimizeDestinationImageAlreadyExists: maySkip } = options;
  askAhead(destination, maySkip || ifTagExists !== "overwrite" ? present : undefined, signal);
  const top = await source.getManifest(undefined, signal);
  const sourceDigest = manifestDigest(top);

  if (options.ifTagExists !== "overwrite") {
    const found = await present(signal);
    if (
      found !== undefined &&
      decideAboutTag(options.ifTagExists, found.digest, sourceDigest) === "skip"
    ) {
      control.report({ type: "report", message: "Skipping: the tag exists at the destination" });
      return {
        ...found,
        ...(found.digest === sourceDigest && { manifest: top }),
        sourceDigest,
        signatures: 0,
        referrers: 0,
        skipped: true,
      };
    }
  }
  const copy = startCopy(ends, options, control, sourceDigest, present);
  const { manifest, signatures, skipped } = await copyTop(copy, top, signal);
  if (!skipped) await destination.commit(signal);
  return {
    digest: manifestDigest(manifest),
    mediaType: manifest.mediaType,
    manifest,
    sourceDigest,
    signatures,
    referrers: copy.referrers?.copied ?? 0,
    skipped,
  };
}

/** What the destination reference names now; one answer for all who ask. Where a tag may have to stay as it is, the answer is sure. */
export function presentAt(
  destination: CopyEnds["destination"],
  { ifTagExists }: Pick<CopyOptions, "ifTagExists">,
): Copy["present"] {
  const certainty = ifTagExists === "overwrite" ? "likely" : "sure";
  let answer: ReturnType<Copy["present"]> | undefined;
  return (signal) => (answer ??= destination.findManifest(undefined, signal, certainty));
}

/** What the images of a copy share. */
export function startCopy(
  ends: CopyEnds,
  options: CopyOptions,
  control: CopyControl,
  sourceDigest: Copy["sourceDigest"],
  present: Copy["present"],
): Copy {
  const { source, destination } = ends;
  // As they are, or they would refer to nothing.
  const may = { reason: "it refers to an image" };
  const referrers = new ReferrerCopy({
    source,
    destination,
    report: control.report,
    copyImage: (manifest, instance, signal) =>
      copySingle(copy, { manifest, from: instance, instance, may, isReferrer: true }, signal),
  });
  const copy: Copy = {
    ends,
    options,
    control,
    sourceDigest,
    present,
    parallel: new LocalSemaphore(
      destination.traits.concurrentBlobs ? options.maxParallelDownloads : 1,
    ),
    blobs: new Map(),
    ...(options.referrers && { referrers }),
  };
  return copy;
}

async function copyTop(copy: Copy, top: RawManifest, signal: AbortSignal): Promise<Written> {
  const target = await chooseTarget(copy, top, signal);
  return target.type === "list"
    ? copyMultiple(copy, target.manifest, signal)
    : copySingle(copy, target.order, signal);
}

/** A list with what was chosen of it, or one image. */
export type Target =
  | { readonly type: "list"; readonly manifest: RawManifest }
  | { readonly type: "image"; readonly order: Order };

/** What is copied of what the source reference names: it, or one image of it. Throws where an option has no meaning for it. */
export async function chooseTarget(
  { ends: { source, platform, host }, options }: Copy,
  top: RawManifest,
  signal: AbortSignal,
): Promise<Target> {
  if (isList(top.mediaType) && options.imageListSelection !== "system")
    return { type: "list", manifest: top };
  for (const field of ["ensureCompressionVariantsExist", "removeListSignatures"] as const) {
    const given = options[field];
    if (given === false || (typeof given !== "boolean" && given.length === 0)) continue;
    throw new CopyError(
      "invalid_request",
      `\`options.${field}\` is about a list of images, and the source is a single one`,
      { side: "source", errors: [{ pointer: `/options/${field}`, detail: "needs a list" }] },
    );
  }
  const instance = undefined;
  if (!isList(top.mediaType))
    return { type: "image", order: { manifest: top, from: undefined, instance } };
  const chosen = chooseInstance(parseList(top), platform, host, options.preferGzipInstances);
  const manifest = await getInstance(source, chosen, signal);
  return { type: "image", order: { manifest, from: chosen.digest, instance } };
}
