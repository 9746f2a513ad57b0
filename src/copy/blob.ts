// One blob: foreign, found, mounted, substituted, or moved through the pipeline (semantics 4.1).

import type { NamedBlob } from "../image/blob-info.ts";
import type { LayerUpdate } from "../image/manifest/updates.ts";
import { blamed } from "./blame.ts";
import type { Candidate, KnownCompression } from "./blob-info-cache.ts";
import type { CopyEnds } from "./interfaces.ts";
import { mayReuse, staysForeign } from "./layers.ts";
import { moveBlob } from "./move.ts";
import type { CopyOptions } from "./options.ts";
import type { Copy } from "./prepare.ts";
import { annotationsOf, type BlobOutcome, type BlobTask } from "./task.ts";

/** How a blob need not be moved; `mount`: if the registry agrees. */
export interface Found {
  readonly how: "exists" | "mount";
  readonly candidate: Candidate;
}

/** Whether the layer stays where its URLs point; a diffID can only be had of one that is here. */
export const isForeign = (
  { blob, artifact, needsDiffId }: BlobTask,
  { destination }: CopyEnds,
  options: Pick<CopyOptions, "downloadForeignLayers">,
): boolean =>
  artifact.kind === "layer" && !needsDiffId && staysForeign(blob, destination.traits, options);

/** "unless empty": where nothing is at the destination, a blob that is not known to be there is not looked for. */
export type Look = "always" | "unless empty";

/** What whoever wants the blob knows before. */
export interface Hint {
  readonly look: Look;
  /** What is remembered of it, if that was asked already. */
  readonly known?: Promise<readonly Candidate[]> | undefined;
}

/**
 * Sees to it that the destination has the blob, or another compression of its content, and reports how. Called with a permit.
 * Undefined: another copy moves it now; once that has ended it is to be looked for again.
 */
export async function copyBlob(
  task: BlobTask,
  { ends, options, control: { report, flight } }: Pick<Copy, "ends" | "options" | "control">,
  hint: Hint,
  signal: AbortSignal,
): Promise<BlobOutcome | undefined> {
  const { blob, artifact } = task;
  const at = { side: "destination", phase: "blob", digest: blob.digest } as const;
  let mayMount = true;
  for await (const found of findBlob(task, ends, hint, signal)) {
    const { candidate } = found;
    const { from } = candidate;
    if (found.how === "mount") {
      if (!mayMount) continue;
      // A registry that would rather have the bytes says so for every repository.
      mayMount =
        from !== undefined &&
        (await blamed(at, signal, () => ends.destination.mountBlob(candidate, from, signal)));
      if (!mayMount) continue;
    }
    await remember(candidate, ends);
    report({
      type: "blob-skipped",
      artifact,
      reason: found.how === "mount" ? "mounted" : "exists",
    });
    return withDiffId(task, ends, updateFrom(task, candidate));
  }
  const move = () => moveBlob(task, ends, options, report, signal);
  const place = flight && placeOf(task, ends);
  return place === undefined ? move() : flight?.(place).lead(move, signal);
}

/** Bytes from which on it pays to ask whether another copy moves a blob, and to wait for it, rather than to move it twice. */
const WORTH_WAITING = 256 * 1024;

/** So small that what is asked about it costs as much as to move it. */
export const isSmall = ({ blob: { size } }: BlobTask): boolean =>
  size !== undefined && size < WORTH_WAITING;

/** The name of a blob at its destination, for those who want it there at the same time; undefined where nobody is to wait for it. */
export function placeOf(task: BlobTask, { destination }: CopyEnds): string | undefined {
  const { location } = destination;
  return location === undefined || isSmall(task)
    ? undefined
    : `${location.registry}/${location.repository}@${task.blob.digest}`;
}

/**
 * The ways in which the blob need not be moved, the best first (semantics 4.1, 4.4). Reads only: nothing is asked of the destination
 * before the way is wanted, and a mount is only proposed. Plans stop at the first.
 */
export async function* findBlob(
  task: BlobTask,
  { source, destination, cache }: CopyEnds,
  { look, known = remembered(task, { destination, cache }) }: Hint,
  signal: AbortSignal,
): AsyncGenerator<Found, void, void> {
  const { blob, wish } = task;
  if (task.needsDiffId && (await cache.uncompressedOf(blob.digest)) === undefined) return;

  const at = { side: "destination", phase: "blob", digest: blob.digest } as const;
  const inPlace = (candidate: NamedBlob) =>
    blamed(at, signal, () => destination.findBlob(candidate, signal));
  const here = destination.location;
  const candidates = knownOf(task, { source, destination }, await known).filter((candidate) =>
    mayReuse(candidate.compression ?? task.says, wish),
  );
  const isElsewhere = ({ from }: Candidate) =>
    from !== undefined && from.repository !== here?.repository;
  const isOwn = ({ digest }: Candidate) => digest === blob.digest;
  const own = candidates.filter(isOwn);
  // A mount tells in one request what a look and a mount would tell in two; where the blob is known to be here, looking is enough.
  const isExpected = !own.every(isElsewhere);
  if (!isExpected) for (const candidate of own) yield { how: "mount", candidate };
  const mayLook = isExpected || look === "always" || (await destination.isEmpty?.(signal)) !== true;
  if (mayLook && mayReuse(task.says, wish)) {
    const found = await inPlace(blob);
    if (found !== undefined)
      return yield {
        how: "exists",
        candidate: { ...blob, compression: task.says, size: found.size },
      };
  }
  for (const candidate of candidates) {
    if (isElsewhere(candidate)) {
      if (!isOwn(candidate) || isExpected) yield { how: "mount", candidate };
    } else if (!isOwn(candidate)) {
      const found = await inPlace(candidate);
      if (found !== undefined)
        yield { how: "exists", candidate: { ...candidate, size: found.size } };
    }
  }
}

/** Where the blob, or one that may take its place, was seen in the destination's registry. */
export const remembered = (
  { blob: { digest }, mayConvert }: BlobTask,
  { destination, cache }: Pick<CopyEnds, "destination" | "cache">,
): Promise<readonly Candidate[]> =>
  cache.candidates(digest, { registry: destination.location?.registry, substitutes: mayConvert });

/** Where the blob may be: where it comes from if that is the same registry, then what is remembered. */
function knownOf(
  { blob: { digest, size, ...blob }, says }: BlobTask,
  { source, destination }: Pick<CopyEnds, "source" | "destination">,
  known: readonly Candidate[],
): readonly Candidate[] {
  const from = source.location;
  if (from === undefined || from.registry !== destination.location?.registry) return known;
  if (size === undefined) return known;
  const isSource = (candidate: Candidate) =>
    candidate.digest === digest && candidate.from?.repository === from.repository;
  return [
    { ...blob, digest, size, compression: says, from },
    ...known.filter((candidate) => !isSource(candidate)),
  ];
}

async function remember(
  { digest, size }: Candidate,
  { destination, cache }: CopyEnds,
): Promise<void> {
  const at = destination.location;
  if (at !== undefined) await cache.record({ digest, size, at });
}

/** What the manifest says of a blob that stays where it is. */
export function asItWas({ blob, says }: BlobTask): LayerUpdate {
  const { digest, size = 0, urls, annotations } = blob;
  return {
    digest,
    size,
    ...(urls !== undefined && { urls }),
    ...(annotations !== undefined && { annotations }),
    ...compressedAs(says),
  };
}

/** What the manifest is to say of a blob that takes the layer's place. */
function updateFrom(
  task: BlobTask,
  { digest, size, compression, annotations }: Candidate,
): LayerUpdate {
  const kept = digest === task.blob.digest ? task.blob.annotations : annotationsOf(task.blob);
  const all = { ...kept, ...annotations };
  return {
    digest,
    size,
    ...(Object.keys(all).length > 0 && { annotations: all }),
    ...compressedAs(compression ?? task.says),
  };
}

const compressedAs = (compression: KnownCompression | undefined) =>
  compression === "none"
    ? ({ operation: "decompress" } as const)
    : ({ operation: "preserve", ...(compression !== undefined && { compression }) } as const);

async function withDiffId(
  { blob, needsDiffId }: BlobTask,
  { cache }: CopyEnds,
  update: LayerUpdate,
): Promise<BlobOutcome> {
  const diffId = needsDiffId ? await cache.uncompressedOf(blob.digest) : undefined;
  return { update, ...(diffId !== undefined && { diffId }) };
}
