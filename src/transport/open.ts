// Transports: the ways to reach images, one folder or file each. A new one is a file and a row here.

import type { Destination, Source } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { locate } from "../image/path.ts";
import {
  formatReference,
  pathsOf,
  whyNoTags,
  whyReadOnly,
  type ImageReference,
} from "../image/reference.ts";
import type { AccessContext } from "./access.ts";
import { openDirDestination } from "./dir-destination.ts";
import { openDirSource } from "./dir-source.ts";
import { openDockerArchiveDestination } from "./docker-archive/destination.ts";
import { listDockerArchiveTags, openDockerArchiveSource } from "./docker-archive/source.ts";
import { openDockerDaemonDestination } from "./docker-daemon/destination.ts";
import { openDockerDaemonSource } from "./docker-daemon/source.ts";
import { openDockerDestination } from "./docker/destination.ts";
import { openDockerSource } from "./docker/source.ts";
import { listDockerTags } from "./docker/tags.ts";
import { openOciArchiveDestination } from "./oci-archive-destination.ts";
import { listOciArchiveTags, openOciArchiveSource } from "./oci-archive-source.ts";
import { listOciTags, openOciDestination, openOciSource } from "./oci.ts";
import { confine } from "./paths.ts";
import { openTarballSource } from "./tarball.ts";

/** Opens a reference for reading. Throws what its transport throws, and `path_denied` for a path that leaves the data folder. */
export async function openSource(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  const [path = "", ...others] = await placesOf(reference, access);
  switch (reference.transport) {
    case "docker":
      return openDockerSource(reference, access, signal);
    case "oci":
      return openOciSource(reference, path, access, signal);
    case "oci-archive":
      return openOciArchiveSource(reference, path, access, signal);
    case "dir":
      return openDirSource(reference, path, access, signal);
    case "docker-archive":
      return openDockerArchiveSource(reference, path, access, signal);
    case "docker-daemon":
      return openDockerDaemonSource(reference, access, signal);
    case "tarball":
      return openTarballSource(reference, [path, ...others], access, signal);
  }
}

/** Opens a reference for writing; nothing is written yet. Throws as openSource, and `reference_invalid` for what can only be read. */
export async function openDestination(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  const reason = whyReadOnly(reference);
  if (reason !== undefined) throw invalid(reference, reason, access);
  const [path = ""] = await placesOf(reference, access);
  switch (reference.transport) {
    case "docker":
      return openDockerDestination(reference, access, signal);
    case "oci":
      return openOciDestination(reference, path, access, signal);
    case "oci-archive":
      return openOciArchiveDestination(reference, path, access, signal);
    case "dir":
      return openDirDestination(reference, path, access, signal);
    case "docker-archive":
      return openDockerArchiveDestination(reference, path, access);
    case "docker-daemon":
      return openDockerDaemonDestination(reference, access);
    case "tarball":
      throw new Error("it can only be read");
  }
}

/**
 * The tags of a repository, or the names of the images in a layout or archive. Throws as openSource, and `reference_invalid` where there
 * are none.
 */
export async function listTags(
  reference: ImageReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [path = ""] = await placesOf(reference, access);
  switch (reference.transport) {
    case "docker":
      return listDockerTags(reference, access, signal);
    case "oci":
      return listOciTags(reference, path, access);
    case "oci-archive":
      return listOciArchiveTags(reference, path, access, signal);
    case "docker-archive":
      return listDockerArchiveTags(reference, path, access, signal);
    case "dir":
    case "tarball":
    case "docker-daemon":
      throw invalid(reference, whyNoTags(reference) ?? "it has no tags", access);
  }
}

/** Where the paths of a reference lead; none for those without. */
const placesOf = (
  reference: ImageReference,
  { dataDir, side }: AccessContext,
): Promise<readonly string[]> =>
  Promise.all(
    pathsOf(reference).map((path) => confine(dataDir, locate(dataDir, path, side), side)),
  );

const invalid = (reference: ImageReference, why: string, { side }: AccessContext): CopyError =>
  new CopyError("reference_invalid", `\`${formatReference(reference)}\`: ${why}`, { side });
