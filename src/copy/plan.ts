// The first half of a copy: all that is read and decided, nothing that is written.

import type { Digest } from "../image/digest.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import type { Platform } from "../image/platform.ts";
import { findBlob, isForeign } from "./blob.ts";
import { chooseTarget, presentAt, startCopy } from "./copy.ts";
import { decideAboutTag } from "./decide.ts";
import { group } from "./group.ts";
import type { CopyControl, CopyEnds } from "./interfaces.ts";
import { decideConversion } from "./layers.ts";
import { getInstance, prepareList } from "./multiple.ts";
import type { CopyOptions } from "./options.ts";
import { prepareImage, type Copy, type Order, type Prepared } from "./prepare.ts";
import { isThere } from "./present.ts";
import type { Artifact } from "./progress.ts";
import type { BlobTask } from "./task.ts";

export type BlobAction = "copy" | "reuse" | "mount" | "recompress" | "foreign";

/** The contract's plan. Bytes are the source's; where a manifest tells no size (docker schema 1) a blob counts as 0. */
export interface CopyPlan {
  readonly source: { readonly digest: Digest; readonly mediaType: string };
  readonly destination: { readonly exists: boolean; readonly digest: Digest | null };
  readonly manifests: readonly ManifestPlan[];
  readonly blobs: readonly BlobPlan[];
  readonly bytes: { readonly total: number; readonly toCopy: number; readonly toReuse: number };
}

export interface ManifestPlan {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly platform: Platform | null;
  readonly action: "copy" | "convert" | "keep";
  /** The type that is written, where it is another. */
  readonly to: string | null;
  readonly reason: string | null;
}

export interface BlobPlan extends Pick<Artifact, "digest" | "size" | "mediaType" | "kind"> {
  readonly action: BlobAction;
  /** The repository that it is mounted from. */
  readonly from: string | null;
}

/** Plans a copy. Throws what the copy itself would refuse, as far as reading shows it. */
export async function planCopy(
  ends: CopyEnds,
  options: CopyOptions,
  control: Pick<CopyControl, "blobs" | "signal">,
): Promise<CopyPlan> {
  const { signal } = control;
  const top = await ends.source.getManifest(undefined, signal);
  const sourceDigest = manifestDigest(top);
  const asked = presentAt(ends.destination, options);
  const present = await asked(signal);
  const about = {
    source: { digest: sourceDigest, mediaType: top.mediaType },
    destination: { exists: present !== undefined, digest: present?.digest ?? null },
  };
  if (decideAboutTag(options.ifTagExists, present?.digest, sourceDigest) === "skip")
    return {
      ...about,
      manifests: [kept(top)],
      blobs: [],
      bytes: { total: 0, toCopy: 0, toReuse: 0 },
    };
  const copy = startCopy(ends, options, { ...control, report: () => {} }, sourceDigest, asked);
  const { manifests, images } = await planTop(copy, top, signal);
  const blobs = await planBlobs(copy, images, signal);
  return { ...about, manifests, blobs, bytes: bytesOf(blobs) };
}

const kept = (top: RawManifest): ManifestPlan => ({
  digest: manifestDigest(top),
  mediaType: top.mediaType,
  platform: null,
  action: "keep",
  to: null,
  reason: "the tag exists at the destination",
});

interface ImagePlan {
  readonly prepared: Prepared;
  /** Nothing of it is moved. */
  readonly isThere: boolean;
}

async function planTop(
  copy: Copy,
  top: RawManifest,
  signal: AbortSignal,
): Promise<{ readonly manifests: readonly ManifestPlan[]; readonly images: readonly ImagePlan[] }> {
  const target = await chooseTarget(copy, top, signal);
  if (target.type === "image") {
    const { planned, about } = await planImage(copy, target.order, null, signal);
    return { manifests: [about], images: [planned] };
  }
  const { manifest } = target;
  const { types, orders, may } = await prepareList(copy, manifest, signal);
  const plans: { readonly planned: ImagePlan; readonly about: ManifestPlan }[] = [];
  for (const order of orders) {
    if (order.type === "remove") continue;
    const { instance } = order;
    const read = await getInstance(copy.ends.source, instance, signal);
    const variant = order.type === "clone" ? { variant: order.variant } : {};
    plans.push(
      await planImage(
        copy,
        { manifest: read, from: instance.digest, instance: instance.digest, may, ...variant },
        instance.platform ?? null,
        signal,
      ),
    );
  }
  const abouts = plans.map(({ about }) => about);
  const edits = orders.some((order) => order.type !== "copy");
  const list = listPlan(
    manifest,
    types.preferred,
    edits || abouts.some((a) => a.action === "convert"),
  );
  return { manifests: [...abouts, list], images: plans.map(({ planned }) => planned) };
}

function listPlan(manifest: RawManifest, to: string, changes: boolean): ManifestPlan {
  const { mediaType } = manifest;
  const converts = to !== mediaType;
  return {
    digest: manifestDigest(manifest),
    mediaType,
    platform: null,
    action: converts || changes ? "convert" : "copy",
    to: converts ? to : null,
    reason: converts ? TAKES_OTHER : changes ? "its entries change" : null,
  };
}

const TAKES_OTHER = "the destination takes it as another type, or was told to";

async function planImage(
  copy: Copy,
  order: Order,
  platform: Platform | null,
  signal: AbortSignal,
): Promise<{ readonly planned: ImagePlan; readonly about: ManifestPlan }> {
  const prepared = await prepareImage(copy, order, signal);
  const { digest, manifest, image, types, embedded, layers } = prepared;
  const there = await isThere(copy, prepared, signal);
  const converts = types.preferred !== image.mediaType;
  const changes =
    embedded !== undefined || layers.some((layer) => actionOf(layer) === "recompress");
  const about: ManifestPlan = {
    digest,
    mediaType: manifest.mediaType,
    platform,
    action: there ? "keep" : converts || changes ? "convert" : "copy",
    to: converts ? types.preferred : null,
    reason: there
      ? "the destination has it"
      : converts
        ? TAKES_OTHER
        : changes
          ? "its layers or its name change"
          : null,
  };
  return { planned: { prepared, isThere: there }, about };
}

/** What the manifest lets expect of a blob that must be moved; its first bytes may tell otherwise. */
function actionOf({ says, wish, mayConvert }: BlobTask): "copy" | "recompress" {
  if (says === undefined) return "copy";
  const { action } = decideConversion(says === "none" ? undefined : says, wish, mayConvert);
  return action === "keep" ? "copy" : "recompress";
}

async function planBlobs(
  copy: Copy,
  images: readonly ImagePlan[],
  signal: AbortSignal,
): Promise<readonly BlobPlan[]> {
  const { ends, options, control, parallel } = copy;
  const tasks = new Map<string, { readonly task: BlobTask; readonly isThere: boolean }>();
  for (const { prepared, isThere: there } of images) {
    const { layers, config } = prepared;
    for (const task of [...layers, ...(config === undefined ? [] : [config])])
      if (!tasks.has(task.blob.digest)) tasks.set(task.blob.digest, { task, isThere: there });
  }
  const plans: BlobPlan[] = [];
  await group(
    signal,
    [...tasks.values()].map(
      ({ task, isThere: there }, i) =>
        (either) =>
          parallel.run(
            (own) =>
              control.blobs.run(async (permitted) => {
                plans[i] = await planBlob(task, there, ends, options, permitted);
              }, own),
            either,
          ),
    ),
  );
  return plans;
}

async function planBlob(
  task: BlobTask,
  there: boolean,
  ends: CopyEnds,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<BlobPlan> {
  const { digest, size, mediaType, kind } = task.artifact;
  const blob = { digest, size, mediaType, kind, from: null };
  if (there) return { ...blob, action: "reuse" };
  if (isForeign(task, ends, options)) return { ...blob, action: "foreign" };
  let mount: BlobPlan | undefined;
  for await (const { how, candidate } of findBlob(task, ends, { look: "unless empty" }, signal)) {
    if (how === "exists") return { ...blob, action: "reuse" };
    mount ??= { ...blob, action: "mount", from: candidate.from?.repository ?? null };
  }
  return mount ?? { ...blob, action: actionOf(task) };
}

function bytesOf(blobs: readonly BlobPlan[]): CopyPlan["bytes"] {
  const sum = (...actions: readonly BlobAction[]) =>
    blobs
      .filter(({ action }) => actions.length === 0 || actions.includes(action))
      .reduce((bytes, { size }) => bytes + (size ?? 0), 0);
  return { total: sum(), toCopy: sum("copy", "recompress"), toReuse: sum("reuse", "mount") };
}
