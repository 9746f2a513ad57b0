// References to what `docker save` writes: a file of it, or a docker engine, which hands it out and takes it in.

import { parseDigest, type Digest } from "../digest.ts";
import { parseDockerName, parseDockerReference, type DockerReference } from "./docker.ts";
import { entryIn, splitPath } from "./files.ts";
import { invalid } from "./invalid.ts";

export interface DockerArchiveReference {
  readonly transport: "docker-archive";
  readonly path: string;
  /** With a tag, and without a digest. Absent: the only image (source), an image without a name (destination). */
  readonly name?: DockerReference;
  /** `@n`: the n-th image of the archive; sources only. */
  readonly entry?: number;
}

export interface DockerDaemonReference {
  readonly transport: "docker-daemon";
  /** With a tag or (sources only) a digest. */
  readonly name?: DockerReference;
  /** The digest of an image's config, where there is no name; sources only. */
  readonly id?: Digest;
}

export function parseDockerArchive(rest: string, whole: string): DockerArchiveReference {
  const { path, image } = splitPath(rest, whole);
  if (image === undefined) return { transport: "docker-archive", path };
  const entry = entryIn(image, whole);
  if (entry !== undefined) return { transport: "docker-archive", path, entry };
  const name = parseDockerReference(image, whole);
  if (name.digest !== undefined)
    throw invalid(whole, "an image in a docker archive has a tag and no digest: write `name:tag`");
  return { transport: "docker-archive", path, name };
}

export function parseDockerDaemon(rest: string, whole: string): DockerDaemonReference {
  const id = parseDigest(rest);
  if (id?.startsWith("sha256:")) return { transport: "docker-daemon", id };
  if (id !== undefined) throw invalid(whole, "docker names images by SHA-256 only");
  const name = parseDockerName(rest, whole);
  if (name.registry === "docker.io" && name.repository === "library/sha256")
    throw invalid(whole, "`sha256` is no repository for docker, and what follows is not a digest");
  if (name.tag === undefined && name.digest === undefined)
    throw invalid(whole, "a tag is missing: write `name:tag`, such as `name:latest`");
  if (name.tag !== undefined && name.digest !== undefined)
    throw invalid(whole, "it has a tag and a digest: leave out one of them");
  return { transport: "docker-daemon", name: { transport: "docker", ...name } };
}
