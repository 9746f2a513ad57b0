// References: `transport:rest`. The docker part follows distribution/reference, by hand and in linear time:
// its regular expression, put into JavaScript, is exponential (25 characters took 0.7 s).

import { CopyError } from "../errors.ts";
import { parseDigest, type Digest } from "./digest.ts";

export interface DockerReference {
  readonly transport: "docker";
  /** `host[:port]` as it was meant: `docker.io` where none was given. */
  readonly registry: string;
  /** The path below the registry, such as `library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export interface OciReference {
  readonly transport: "oci";
  readonly path: string;
  /** The value of `org.opencontainers.image.ref.name`. */
  readonly name?: string;
  /** `@n`: the n-th entry of index.json; sources only. */
  readonly entry?: number;
}

export interface DirReference {
  readonly transport: "dir";
  readonly path: string;
}

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
      if (rest === "") throw invalid(text, "a path is missing after `dir:`");
      return { transport: "dir", path: rest };
    default: {
      const instead = Object.hasOwn(ELSEWHERE, transport) ? ELSEWHERE[transport] : undefined;
      throw invalid(
        text,
        instead === undefined
          ? `the transport \`${transport}\` is not known here: use \`docker\`, \`oci\` or \`dir\``
          : `\`${transport}:\` is not supported: ${instead}`,
      );
    }
  }
}

export function formatReference(reference: ImageReference): string {
  switch (reference.transport) {
    case "docker": {
      const { registry, repository, tag, digest } = reference;
      return `docker://${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
    }
    case "oci":
      return `oci:${reference.path}${reference.name === undefined ? "" : `:${reference.name}`}${reference.entry === undefined ? "" : `:@${reference.entry}`}`;
    case "dir":
      return `dir:${reference.path}`;
  }
}

/** `[registry/]repository[:tag][@digest]`; a missing registry is docker.io, a missing tag and digest `latest`. */
export function parseDockerReference(rest: string, whole: string): DockerReference {
  const at = rest.indexOf("@");
  const digest = at < 0 ? undefined : parseDigest(rest.slice(at + 1));
  if (at >= 0 && digest === undefined)
    throw invalid(
      whole,
      "what follows `@` is not a digest such as `sha256:<64 lower-case hexadecimal digits>`",
    );
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag))
    throw invalid(
      whole,
      `\`${tag.slice(0, 64)}\` is not a tag: up to 128 letters, digits, \`_\`, \`.\` and \`-\`, not beginning with \`.\` or \`-\``,
    );
  const { registry, repository } = splitName(hasTag ? named.slice(0, colon) : named, whole);
  const effective = tag ?? (digest === undefined ? "latest" : undefined);
  return {
    transport: "docker",
    registry,
    repository,
    ...(effective !== undefined && { tag: effective }),
    ...(digest !== undefined && { digest }),
  };
}

/** The part before the first slash is a registry only if it looks like one (distribution/reference, normalize.go). */
function splitName(name: string, whole: string): { registry: string; repository: string } {
  if (name === "") throw invalid(whole, "the repository is missing");
  if (name.length > 255)
    throw invalid(whole, "registry and repository together are longer than 255 characters");
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isRegistry =
    first !== "" &&
    (first.includes(".") ||
      first.includes(":") ||
      first === "localhost" ||
      first !== first.toLowerCase());
  const registry = isRegistry ? (first === "index.docker.io" ? "docker.io" : first) : "docker.io";
  const path = isRegistry ? name.slice(slash + 1) : name;
  if (!isRegistryHost(registry))
    throw invalid(
      whole,
      `\`${registry}\` is not a registry: a host name or IPv4 address, with \`:port\` where needed`,
    );
  if (path !== path.toLowerCase())
    throw invalid(whole, `the repository \`${path}\` must be lower-case`);
  const components = path.split("/");
  if (!components.every(isPathComponent))
    throw invalid(
      whole,
      `\`${path}\` is not a repository: lower-case letters and digits, separated by \`.\`, \`_\`, \`__\`, \`-\` or \`/\``,
    );
  if (!isRegistry && components.length === 1) {
    if (path.length === 64 && [...path].every((c) => "0123456789abcdef".includes(c)))
      throw invalid(
        whole,
        "64 hexadecimal digits are not a repository: they would be taken for a digest",
      );
    return { registry, repository: `library/${path}` };
  }
  return { registry, repository: path };
}

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isLower = (c: number): boolean => c >= 97 && c <= 122;
const isAlnum = (c: number): boolean => isDigit(c) || isLower(c) || (c >= 65 && c <= 90);

function isRegistryHost(text: string): boolean {
  const colon = text.indexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  if (colon >= 0) {
    const port = text.slice(colon + 1);
    if (
      port === "" ||
      port.length > 5 ||
      ![...port].every((c) => isDigit(c.charCodeAt(0))) ||
      Number(port) > 65535 ||
      Number(port) === 0
    )
      return false;
  }
  return host.split(".").every((label) => {
    if (label === "" || label.startsWith("-") || label.endsWith("-")) return false;
    return [...label].every((c) => c === "-" || isAlnum(c.charCodeAt(0)));
  });
}

/** `[a-z0-9]+` runs separated by `.`, `_`, `__` or any number of `-`. */
function isPathComponent(text: string): boolean {
  const letter = (i: number) =>
    i >= 0 && i < text.length && (isLower(text.charCodeAt(i)) || isDigit(text.charCodeAt(i)));
  if (!letter(0) || !letter(text.length - 1)) return false;
  for (let i = 0; i < text.length;) {
    if (letter(i)) {
      i++;
      continue;
    }
    let end = i;
    while (end < text.length && text[end] === text[i]) end++;
    const run = text.slice(i, end);
    if (!(run === "." || run === "_" || run === "__" || run[0] === "-") || !letter(end))
      return false;
    i = end;
  }
  return true;
}

export function isTag(text: string): boolean {
  if (text === "" || text.length > 128) return false;
  return [...text].every(
    (c, i) => c === "_" || isAlnum(c.charCodeAt(0)) || (i > 0 && (c === "." || c === "-")),
  );
}

function parseOci(rest: string, whole: string): OciReference {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === "") throw invalid(whole, "a path is missing after `oci:`");
  if (colon < 0) return { transport: "oci", path };
  const name = rest.slice(colon + 1);
  if (name.startsWith("@")) {
    const entry = name.slice(1);
    if (entry === "" || entry.length > 6 || ![...entry].every((c) => isDigit(c.charCodeAt(0))))
      throw invalid(whole, `\`${name}\` is not an entry such as \`@0\``);
    return { transport: "oci", path, entry: Number(entry) };
  }
  if (!isOciName(name))
    throw invalid(
      whole,
      `\`${name}\` is not an image name: letters and digits, separated by one of \`- . _ : @ +\`, \`--\` or \`/\``,
    );
  return { transport: "oci", path, name };
}

/** containers/image oci/layout: `comp(/comp)*`, comp = alphanumeric runs separated by one of `-._:@+` or by `--`. */
function isOciName(name: string): boolean {
  return name.split("/").every((component) => {
    for (let i = 0; i < component.length; i++) {
      if (isAlnum(component.charCodeAt(i))) continue;
      if (component.startsWith("--", i)) i++;
      else if (!"-._:@+".includes(component[i] ?? "")) return false;
      if (i + 1 >= component.length || !isAlnum(component.charCodeAt(i + 1))) return false;
    }
    return component !== "" && isAlnum(component.charCodeAt(0));
  });
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 32 || c === 127) return true;
  }
  return false;
}

/** Quotes the reference, less what could be a password that somebody put into it. */
const invalid = (text: string, why: string): CopyError =>
  new CopyError(
    "reference_invalid",
    `\`${text.slice(0, 200).replace(/\/\/[^/@]*@/, "//…@")}\`: ${why}`,
  );
