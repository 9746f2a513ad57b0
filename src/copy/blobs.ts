// The blobs of an image side by side, under the limits of the copy and of the cluster.

import {
  asItWas,
  copyBlob,
  isForeign,
  isSmall,
  placeOf,
  remembered,
  type Hint,
  type Look,
} from "./blob.ts";
import { group } from "./group.ts";
import type { Semaphore } from "./interfaces.ts";
import { PassedPermits } from "./passed-permits.ts";
import type { Copy, Prepared } from "./prepare.ts";
import type { BlobOutcome, BlobTask } from "./task.ts";

/**
 * The layers in their order; the config beside them, where it stays what it is. "again": what was found, or done, before does not count.
 */
export async function copyBlobs(
  copy: Copy,
  { layers, config, types, image }: Prepared,
  signal: AbortSignal,
  again?: "again",
): Promise<readonly BlobOutcome[]> {
  const {
    control: { report, blobs: permits },
  } = copy;
  const blobs = [
    ...layers,
    ...(config !== undefined && types.preferred === image.mediaType ? [config] : []),
  ];
  report({ type: "planned", artifacts: unique(blobs).map(({ artifact }) => artifact) });
  const look: Look = again === undefined ? "unless empty" : "always";
  if (again !== undefined) for (const blob of blobs) copy.blobs.delete(keyOf(blob));
  const outcomes: BlobOutcome[] = [];
  const passed = new PassedPermits(permits);
  await group(
    signal,
    blobs.map((task, i) => async (either) => {
      const way = { look, permits: isSmall(task) ? passed : permits };
      outcomes[i] = await copyBlobOnce(copy, task, way, either);
    }),
  );
  return outcomes.slice(0, layers.length);
}

/** The outcomes for an image whose blobs are at the destination, the config's for whoever asks for it later. */
export function skipBlobs(
  { ends, options, control: { report }, blobs }: Copy,
  { layers, config }: Prepared,
): readonly BlobOutcome[] {
  const all = unique([...layers, ...(config === undefined ? [] : [config])]);
  report({ type: "planned", artifacts: all.map(({ artifact }) => artifact) });
  for (const task of all)
    report({
      type: "blob-skipped",
      artifact: task.artifact,
      reason: isForeign(task, ends, options) ? "foreign" : "exists",
    });
  if (config !== undefined) blobs.set(keyOf(config), Promise.resolve({ update: asItWas(config) }));
  return layers.map((task) => ({ update: asItWas(task) }));
}

const unique = (blobs: readonly BlobTask[]): readonly BlobTask[] => [
  ...new Map(blobs.map((task) => [task.blob.digest, task] as const)).values(),
];

/** How a blob is come by. */
export interface BlobWay {
  readonly look: Look;
  readonly permits: Semaphore;
}

/** A blob that several images share, or one image several times, is moved once for each form that it is wanted in. */
export function copyBlobOnce(
  copy: Copy,
  task: BlobTask,
  way: BlobWay,
  signal: AbortSignal,
): Promise<BlobOutcome> {
  const { blobs } = copy;
  const key = keyOf(task);
  const begun = blobs.get(key);
  if (begun !== undefined) return begun;
  const outcome = copyInTurn(copy, task, way, signal);
  blobs.set(key, outcome);
  return outcome;
}

const keyOf = ({ blob, artifact, wish, mayConvert, needsDiffId }: BlobTask): string =>
  JSON.stringify([
    blob.digest,
    artifact.kind,
    blob.mediaType,
    wish,
    mayConvert,
    needsDiffId,
    blob.annotations,
  ]);

/** Again and again, while other copies move the same blob to the same place: whoever waits for them holds no permit. */
async function copyInTurn(
  copy: Copy,
  task: BlobTask,
  { look, permits }: BlobWay,
  signal: AbortSignal,
): Promise<BlobOutcome> {
  const { ends, options, control, parallel } = copy;
  const { artifact } = task;
  if (isForeign(task, ends, options)) {
    control.report({ type: "blob-skipped", artifact, reason: "foreign" });
    return { update: asItWas(task) };
  }
  control.report({
    type: "report",
    message: `Copying ${artifact.kind === "config" ? "config" : "blob"} ${artifact.digest}`,
  });
  // Asked for before its turn comes, and so together with what is asked of the image's others.
  const known = isSmall(task) ? remembered(task, ends) : undefined;
  for (let hint: Hint = { look, known }; ; hint = { look: "always" }) {
    const outcome = await parallel.run(
      (own) => permits.run((permitted) => copyBlob(task, copy, hint, permitted), own),
      signal,
    );
    if (outcome !== undefined) return outcome;
    const place = placeOf(task, ends);
    if (place !== undefined) await control.flight?.(place).ended(signal);
  }
}
