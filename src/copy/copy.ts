// The engine: opens nothing and knows no transport. It is given two ends, decides what is to be copied, moves blobs under permits, and
// writes the manifests that name them: layers and config, then their manifest, then the list, then commit (semantics 1.1).

import { parseList } from "../image/manifest/list.ts";
import { manifestDigest } from "../image/manifest/manifest.ts";
import { isList } from "../image/media-types.ts";
import { decideAboutTag } from "./decide.ts";
import { chooseInstance } from "./instances.ts";
import type { CopyControl, CopyEnds, CopyResult } from "./interfaces.ts";
import type { CopyOptions } from "./options.ts";
import { copyMultiple, getInstance } from "./multiple.ts";
import { LocalSemaphore } from "./semaphore.ts";
import { copySingle, type Copy, type Written } from "./single.ts";

/**
 * Copies an image, or a list of them. Resolves once the destination reference names the copy; until then it names what it named before.
 * Nothing is rolled back on failure: blobs that are complete stay, and the next attempt finds them. Throws CopyError, or the reason of
 * `control.signal`.
 */
export async function copyImage(
  ends: CopyEnds,
  options: CopyOptions,
  control: CopyControl,
): Promise<CopyResult> {
  const { source, destination } = ends;
  const { signal } = control;
  const top = await source.getManifest(undefined, signal);
  const sourceDigest = manifestDigest(top);

  if (options.ifTagExists !== "overwrite") {
    const present = await destination.findManifest(undefined, signal);
    if (
      present !== undefined &&
      decideAboutTag(options.ifTagExists, present.digest, sourceDigest) === "skip"
    ) {
      control.report({ type: "report", message: "Skipping: the tag exists at the destination" });
      return {
        ...present,
        ...(present.digest === sourceDigest && { manifest: top }),
        sourceDigest,
        signatures: 0,
        skipped: true,
      };
    }
  }
  const copy: Copy = {
    ends,
    options,
    control,
    sourceDigest,
    parallel: new LocalSemaphore(options.maxParallelDownloads),
    blobs: new Map(),
  };
  const { manifest, signatures, skipped } = await copyTop(copy, top, signal);
  if (!skipped) await destination.commit(signal);
  return {
    digest: manifestDigest(manifest),
    mediaType: manifest.mediaType,
    manifest,
    sourceDigest,
    signatures,
    skipped,
  };
}

async function copyTop(
  copy: Copy,
  top: Written["manifest"],
  signal: AbortSignal,
): Promise<Written> {
  const {
    ends: { source, platform, host },
    options,
  } = copy;
  if (!isList(top.mediaType)) return copySingle(copy, top, undefined, signal);
  if (options.imageListSelection !== "system") return copyMultiple(copy, top, signal);
  const chosen = chooseInstance(parseList(top), platform, host);
  return copySingle(copy, await getInstance(source, chosen, signal), undefined, signal);
}
