// Config and manifest of an image, type after type until the destination takes one (semantics 3.3, 3.10).

import { fromBuffer } from "../bytes.ts";
import { CopyError } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import { editManifest, type EditedManifest, type ManifestEdit } from "../image/manifest/edit.ts";
import { EMPTY_LAYER } from "../image/manifest/empty-layer.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { DOCKER_LAYER, isSchema1 } from "../image/media-types.ts";
import { blamed } from "./blame.ts";
import { copyBlobOnce } from "./blobs.ts";
import { getConfig } from "./config.ts";
import { configTask, nameFor, type Copy, type Prepared } from "./prepare.ts";
import type { BlobOutcome } from "./task.ts";
import { typeByType } from "./type-by-type.ts";

export interface WrittenManifest {
  readonly manifest: RawManifest;
  readonly digest: Digest;
}

/** Writes the image's manifest, changed as its layers and the destination's type demand, and a config where a new one is needed. */
export const writeImage = (
  copy: Copy,
  prepared: Prepared,
  outcomes: readonly BlobOutcome[],
  signal: AbortSignal,
): Promise<WrittenManifest> =>
  typeByType(prepared.types, (type) => writeAs(copy, prepared, outcomes, type, signal), signal);

async function writeAs(
  copy: Copy,
  prepared: Prepared,
  outcomes: readonly BlobOutcome[],
  type: string,
  signal: AbortSignal,
): Promise<WrittenManifest> {
  const {
    ends: { destination },
    control: { report },
  } = copy;
  const edited = await editedAs(copy, prepared, outcomes, type, signal);
  if (edited.needsEmptyLayer)
    await destination.putBlob(
      {
        content: fromBuffer(EMPTY_LAYER.bytes),
        info: {
          mediaType: `${DOCKER_LAYER}.gzip`,
          digest: EMPTY_LAYER.digest,
          size: EMPTY_LAYER.bytes.length,
        },
      },
      signal,
    );
  await putConfig(copy, prepared, edited, type, signal);
  report({ type: "report", message: "Writing manifest to image destination" });
  const { manifest } = edited;
  const digest = manifest === prepared.manifest ? prepared.digest : manifestDigest(manifest);
  // An image that is written as it was read keeps the name that its list has for it.
  const instance =
    prepared.instance && (manifest === prepared.manifest ? prepared.instance : digest);
  if (instance === undefined) await copy.referrers?.copyFirst(manifest, [], signal);
  await destination.putManifest(manifest, instance, signal);
  return { manifest, digest: instance ?? digest };
}

/** The manifest as this type; the very bytes that were read where nothing is to change. */
async function editedAs(
  copy: Copy,
  prepared: Prepared,
  outcomes: readonly BlobOutcome[],
  type: string,
  signal: AbortSignal,
): Promise<EditedManifest> {
  const { manifest, image, layers } = prepared;
  const changed = layers.some(({ blob }, i) => outcomes[i]?.update.digest !== blob.digest);
  const converts = type !== image.mediaType;
  if (converts && isSchema1(type) && outcomes.some(({ update }) => update.urls !== undefined))
    throw foreignInSchema1();
  // A schema 1 manifest that is made anew gets its destination's name.
  const embedded = converts && isSchema1(type) ? nameFor(copy.ends.destination) : prepared.embedded;
  if (!changed && !converts && embedded === undefined) return { manifest, needsEmptyLayer: false };
  const diffIds = outcomes.flatMap(({ diffId }) => diffId ?? []);
  const edit: ManifestEdit = {
    ...(converts && { mediaType: type }),
    // Sizes and digests: a conversion from schema 1 needs them, too, for that tells none.
    ...((changed || isSchema1(image.mediaType)) && {
      layers: outcomes.map(({ update }) => update),
    }),
    ...(diffIds.length === layers.length && { diffIds }),
    ...(embedded !== undefined && { embeddedReference: embedded }),
  };
  const config =
    converts && image.config ? await getConfig(copy.ends.source, image.config, signal) : undefined;
  return editManifest(manifest, edit, config);
}

/** Stores the config that the manifest names; one that did not change was copied beside the layers where the type did not change. */
async function putConfig(
  copy: Copy,
  { config }: Prepared,
  edited: EditedManifest,
  type: string,
  signal: AbortSignal,
): Promise<void> {
  const {
    ends: { destination },
    control: { report },
  } = copy;
  if (edited.config === undefined) {
    if (config !== undefined && !isSchema1(type))
      await copyBlobOnce(copy, config, { look: "always", permits: copy.control.blobs }, signal);
    return;
  }
  const { descriptor, bytes } = edited.config;
  const { artifact } = configTask(descriptor, { layers: "preserve", required: false, types: [] });
  report({ type: "report", message: `Copying config ${descriptor.digest}` });
  report({ type: "planned", artifacts: [artifact] });
  const at = { side: "destination", phase: "blob", digest: descriptor.digest } as const;
  await blamed(at, signal, async () => {
    if ((await destination.findBlob(descriptor, signal)) !== undefined)
      return report({ type: "blob-skipped", artifact, reason: "exists" });
    report({ type: "blob-new", artifact });
    const stored = await destination.putBlob(
      { content: fromBuffer(bytes), info: descriptor },
      signal,
    );
    report({ type: "blob-done", artifact, offset: bytes.length, bytesStored: stored.size });
  });
}

/** It would name layers that are not where it is. */
const foreignInSchema1 = (): CopyError =>
  new CopyError(
    "manifest_rejected",
    "docker schema 1 has no place for the URLs of layers that are kept elsewhere: set `downloadForeignLayers`",
    { side: "destination", phase: "manifest" },
  );
