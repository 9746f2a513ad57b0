// References: `transport:rest`.

import {
  formatDockerName,
  parseDockerReference,
  type DockerReference,
} from "./reference/docker.ts";
import { parseDir, parseOci, type DirReference, type OciReference } from "./reference/files.ts";
import { invalid } from "./reference/invalid.ts";

export type ImageReference = DockerReference | OciReference | DirReference;

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
    case "dir":
      return parseDir(rest, text);
    default:
      throw invalid(text, whyUnknown(transport));
  }
}

function whyUnknown(transport: string): string {
  const instead = Object.hasOwn(ELSEWHERE, transport) ? ELSEWHERE[transport] : undefined;
  return instead === undefined
    ? `the transport \`${transport}\` is not known here: use \`docker\`, \`oci\` or \`dir\``
    : `\`${transport}:\` is not supported: ${instead}`;
}

/** What parses into the same reference, with all parts of docker's names written out. */
export function formatReference(reference: ImageReference): string {
  switch (reference.transport) {
    case "docker":
      return `docker://${formatDockerName(reference)}`;
    case "oci":
      return `oci:${reference.path}${reference.name === undefined ? "" : `:${reference.name}`}${reference.entry === undefined ? "" : `:@${reference.entry}`}`;
    case "dir":
      return `dir:${reference.path}`;
  }
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 32 || c === 127) return true;
  }
  return false;
}
