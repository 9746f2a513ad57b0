// References: `transport:rest`.

import {
  parseDockerArchive,
  parseDockerDaemon,
  type DockerArchiveReference,
  type DockerDaemonReference,
} from "./reference/docker-save.ts";
import {
  formatDockerName,
  parseDockerReference,
  type DockerReference,
} from "./reference/docker.ts";
import {
  parseDir,
  parseOci,
  parseOciArchive,
  parseTarball,
  type DirReference,
  type OciArchiveReference,
  type OciReference,
  type TarballReference,
} from "./reference/files.ts";
import { invalid } from "./reference/invalid.ts";

export type ImageReference =
  | DockerReference
  | OciReference
  | OciArchiveReference
  | DirReference
  | DockerArchiveReference
  | DockerDaemonReference
  | TarballReference;

/** What containers/image has besides, and what to use here instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "containers-storage":
    "push the image to a registry or an `oci:` layout with podman or buildah first",
  ostree: "containers/image has dropped it; use `oci:`",
  atomic: "use `docker:` with the registry's own address",
  sif: "convert the file to an `oci:` layout first",
};

/** Parses `transport:rest`. Throws `reference_invalid` with a sentence that says what is wrong and what is expected. */
export function parseReference(text: string): ImageReference {
  const colon = text.indexOf(":");
  if (colon < 0)
    throw invalid(text, "a transport is missing: write `docker://…`, `oci:…` or `dir:…`");
  const transport = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (hasControl(text)) throw invalid(text, "it contains control characters");
  if (text.length > 2048) throw invalid(text, "it is longer than 2,048 characters");
  switch (transport) {
    case "docker":
      if (!rest.startsWith("//")) throw invalid(text, "`docker:` is followed by `//`");
      return parseDockerReference(rest.slice(2), text);
    case "oci":
      return parseOci(rest, text);
    case "oci-archive":
      return parseOciArchive(rest, text);
    case "dir":
      return parseDir(rest, text);
    case "docker-archive":
      return parseDockerArchive(rest, text);
    case "docker-daemon":
      return parseDockerDaemon(rest, text);
    case "tarball":
      return parseTarball(rest, text);
    default:
      throw invalid(text, whyUnknown(transport));
  }
}

function whyUnknown(transport: string): string {
  const instead = Object.hasOwn(ELSEWHERE, transport) ? ELSEWHERE[transport] : undefined;
  return instead === undefined
    ? `the transport \`${transport}\` is not known here: use \`docker\`, \`oci\`, \`oci-archive\`, \`dir\`, \`docker-archive\`, \`docker-daemon\` or \`tarball\``
    : `\`${transport}:\` is not supported: ${instead}`;
}

/** What parses into the same reference, with all parts of docker's names written out. */
export function formatReference(reference: ImageReference): string {
  const { transport } = reference;
  switch (transport) {
    case "docker":
      return `docker://${formatDockerName(reference)}`;
    case "docker-daemon":
      return `docker-daemon:${reference.name === undefined ? (reference.id ?? "") : formatDockerName(reference.name)}`;
    case "tarball":
      return `tarball:${reference.paths.join(":")}`;
    case "dir":
      return `dir:${reference.path}`;
    case "docker-archive": {
      const { path, name, entry } = reference;
      return `docker-archive:${path}${imageOf(name && formatDockerName(name), entry)}`;
    }
    case "oci":
    case "oci-archive":
      return `${transport}:${reference.path}${imageOf(reference.name, reference.entry)}`;
  }
}

const imageOf = (name: string | undefined, entry: number | undefined): string =>
  name !== undefined ? `:${name}` : entry !== undefined ? `:@${entry}` : "";

/** The paths in a reference. */
export function pathsOf(reference: ImageReference): readonly string[] {
  if ("paths" in reference) return reference.paths;
  return "path" in reference ? [reference.path] : [];
}

/** Why a reference can only be read; undefined: it can be a destination. */
export function whyReadOnly(reference: ImageReference): string | undefined {
  if (reference.transport === "tarball")
    return "`tarball:` is a source only: use `oci-archive:` or `docker-archive:`";
  if ("entry" in reference && reference.entry !== undefined)
    return `\`@${reference.entry}\` stands for an entry that is there, and can only be read: give the destination a name`;
  if (reference.transport === "docker-daemon" && reference.name?.tag === undefined)
    return "a digest names an image that is there, and can only be read: write `name:tag`";
  return undefined;
}

/** Why there are no tags to list; undefined: there are. */
export function whyNoTags({ transport }: ImageReference): string | undefined {
  if (transport === "dir") return "a `dir:` folder holds one image, which has no tags";
  if (transport === "tarball") return "its files are one image, which has no tags";
  if (transport === "docker-daemon") return "the engine's images are listed by `docker images`";
  return undefined;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 32 || c === 127) return true;
  }
  return false;
}
