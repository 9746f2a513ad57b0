// Transports: the ways to reach images, one folder or file each. A new one is a file and a row here.

import { CopyError } from "../errors.ts";
import type { Destination, Source } from "../copy/interfaces.ts";
import { locate } from "../image/path.ts";
import { formatReference, type ImageReference } from "../image/reference.ts";
import type { AccessContext } from "./access.ts";
import { openDirDestination } from "./dir-destination.ts";
import { openDirSource } from "./dir-source.ts";
import { openDockerDestination } from "./docker/destination.ts";
import { openDockerSource } from "./docker/source.ts";
import { listDockerTags } from "./docker/tags.ts";
import { listOciTags, openOciDestination, openOciSource } from "./oci.ts";
import { confine } from "./paths.ts";

/** Opens a reference for reading. Throws what its transport throws, and `path_denied` for a path that leaves the data folder. */
export async function openSource(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  switch (reference.transport) {
    case "docker":
      return openDockerSource(reference, access, signal);
    case "oci":
      return openOciSource(reference, await folderOf(reference.path, access), access, signal);
    case "dir":
      return openDirSource(reference, await folderOf(reference.path, access), access, signal);
  }
}

/** Opens a reference for writing; nothing is written yet. Throws as openSource. */
export async function openDestination(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  switch (reference.transport) {
    case "docker":
      return openDockerDestination(reference, access, signal);
    case "oci":
      return openOciDestination(reference, await folderOf(reference.path, access), access, signal);
    case "dir":
      return openDirDestination(reference, await folderOf(reference.path, access), access, signal);
  }
}

/** The tags of a repository, or the names of the images in a layout. Throws as openSource, and `reference_invalid` where there are none. */
export async function listTags(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  switch (reference.transport) {
    case "docker":
      return listDockerTags(reference, access, signal);
    case "oci":
      return listOciTags(reference, await folderOf(reference.path, access), access);
    case "dir":
      throw new CopyError(
        "reference_invalid",
        `\`${formatReference(reference)}\` has no tags: a \`dir:\` folder holds one image`,
        { side: access.side },
      );
  }
}

const folderOf = (path: string, { dataDir, side }: AccessContext): Promise<string> =>
  confine(dataDir, locate(dataDir, path, side), side);
