// `docker save`'s archives as source (semantics 7.6): read in place, side by side.

import type { Source } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import { algorithmOf } from "../../image/digest.ts";
import { manifestDigest } from "../../image/manifest/manifest.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerArchiveReference } from "../../image/reference/docker-save.ts";
import type { AccessContext } from "../access.ts";
import { openArchive } from "../archive-file.ts";
import type { RegularFile } from "../files.ts";
import { namesIn } from "./items.ts";
import { readItems, readSavedImage, type Wanted } from "./saved-image.ts";

/** `path` is a real path. Throws `source_not_found`, `manifest_invalid`, `path_denied`. */
export async function openDockerArchiveSource(
  reference: DockerArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  const title = formatReference(reference);
  const file = await openArchive(title, path, access, signal);
  return savedSource(file, { ...reference, title }, access, signal);
}

/** The names of the images, `@n` for those without one. Throws as openDockerArchiveSource. */
export async function listDockerArchiveTags(
  reference: DockerArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await using file = await openArchive(formatReference(reference), path, access, signal);
  return namesIn(await readItems(file, { side: access.side, phase: "manifest" }, signal));
}

/** One image of an archive; `file` is closed with it, or now if there is no such image. */
export async function savedSource(
  file: RegularFile,
  wanted: Wanted,
  { side, pinned }: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  await using opened = new AsyncDisposableStack();
  opened.use(file);
  const at = { side, phase: "manifest" } as const;
  const image = await readSavedImage(file, wanted, at, signal);
  const { manifest } = image;
  const missing = (why: string) =>
    new CopyError("source_not_found", `\`${wanted.title}\`: ${why}`, at);
  if (pinned !== undefined && manifestDigest(manifest, algorithmOf(pinned)) !== pinned)
    throw missing(`it is another image than ${pinned}, which this job began to copy`);
  const owned = opened.move();
  return {
    name: wanted.title,
    getManifest: async (instance) => {
      if (instance === undefined) return manifest;
      throw missing(`it has no manifest ${instance}, it is a single image`);
    },
    getBlob: async (blob) => {
      const content = image.blob(blob.digest);
      if (content === undefined) throw missing(`it has no blob ${blob.digest}`);
      return { content, info: blob };
    },
    getSignatures: async () => [],
    getReferrers: async () => [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
