// What a policy calls an image: the keys below `transports.<transport>`, most exact first (semantics 6.7).

import { normalize } from "node:path";
import { formatDockerName, type DockerName } from "../image/reference/docker.ts";
import { repositoryOf } from "./identity.ts";

/** An image as a policy knows it: by the source's reference as it was given. */
export interface PolicySubject {
  readonly transport: string;
  /** The reference, for messages. */
  readonly reference: string;
  /** What docker calls the image; absent where the transport, or the reference, has no such name. */
  readonly name?: DockerName;
  /** The folder or file, absolute, symbolic links followed. */
  readonly path?: string;
}

/**
 * The keys to look for, in this order. Throws an Error for a docker reference with a tag and a digest: which of them a scope means
 * is not said anywhere.
 */
export function scopesOf({ transport, name, path }: PolicySubject): readonly string[] {
  switch (transport) {
    case "docker":
    case "docker-daemon":
      return name === undefined ? [""] : [identityOf(name), ...namespacesOf(name), ""];
    case "dir":
    case "oci":
    case "oci-archive":
      return path === undefined ? [""] : [...pathsOf(path), ""];
    default:
      return [""];
  }
}

function identityOf(name: DockerName): string {
  if (name.tag !== undefined && name.digest !== undefined)
    throw new Error(
      "the policy cannot tell whether the reference's tag or its digest is meant: leave one of them out",
    );
  return formatDockerName(name);
}

/** The repository, each namespace above it, the host, and each domain above that as `*.domain`. */
function namespacesOf(name: DockerName): readonly string[] {
  const full = repositoryOf(name);
  const slashes = [...full.matchAll(/\//g)].map(({ index }) => index).toReversed();
  const host = name.registry.replace(/:\d+$/, "");
  const dots = [...host.matchAll(/\./g)].map(({ index }) => index);
  return [
    full,
    ...slashes.map((end) => full.slice(0, end)),
    ...dots.map((dot) => `*${host.slice(dot)}`),
  ];
}

/** The path and all folders above it, without the root: that is what the scope `""` means. */
function pathsOf(path: string): readonly string[] {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index).toReversed();
  return [path, ...slashes.filter((end) => end > 0).map((end) => path.slice(0, end))];
}

/** Why the key is no scope of the transport; undefined: it is one, or the transport is not known here and never matches. */
export function faultOfScope(transport: string, scope: string): string | undefined {
  if (scope === "") return undefined;
  switch (transport) {
    case "dir":
    case "oci":
    case "oci-archive":
    case "sif":
      if (!scope.startsWith("/")) return "is not an absolute path";
      if (scope === "/") return 'is the root: use the scope `""`';
      return normalize(scope) === scope && !scope.endsWith("/") ? undefined : "is not a clean path";
    case "docker-archive":
    case "tarball":
      return `is no scope: \`${transport}\` has none but \`""\``;
    case "docker-daemon":
      return /^[a-z0-9]+:[0-9a-f]{32,}$/.test(scope)
        ? "is an image ID, which is no scope"
        : undefined;
    default:
      return undefined;
  }
}
