// Docker's names of images, as distribution/reference has them, by hand and in linear time: its regular expression, put into
// JavaScript, is exponential (25 characters took 0.7 s).

import { parseDigest, type Digest } from "../digest.ts";
import { invalid } from "./invalid.ts";

/** The name of an image in docker's words. */
export interface DockerName {
  /** `host[:port]` as it was meant: `docker.io` where none was given; in lower case. */
  readonly registry: string;
  /** The path below the registry, such as `library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export interface DockerReference extends DockerName {
  readonly transport: "docker";
}

/** `[registry/]repository[:tag][@digest]`; a missing registry is docker.io, a missing tag and digest `latest`. */
export function parseDockerReference(rest: string, whole: string): DockerReference {
  const name = parseDockerName(rest, whole);
  const { tag, digest } = name;
  return {
    transport: "docker",
    ...name,
    ...(tag === undefined && digest === undefined && { tag: "latest" }),
  };
}

/** The same where a missing tag means that there is none. `whole`: what the message of `reference_invalid` quotes. */
export function parseDockerName(rest: string, whole: string): DockerName {
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
  return {
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** All parts written out, as `docker.io/library/busybox:1`. */
export const formatDockerName = ({ registry, repository, tag, digest }: DockerName): string =>
  `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;

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
  const host = isRegistry ? lowerHost(first) : "docker.io";
  const registry = host === "index.docker.io" ? "docker.io" : host;
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
  if (registry === "docker.io" && components.length === 1) {
    const isHex = path.length === 64 && [...path].every((c) => "0123456789abcdef".includes(c));
    if (!isRegistry && isHex)
      throw invalid(
        whole,
        "64 hexadecimal digits are not a repository: they would be taken for a digest",
      );
    return { registry, repository: `library/${path}` };
  }
  return { registry, repository: path };
}

/**
 * The same with its host, what is before the first slash, in lower case: the one spelling by which hosts are compared (RFC 4343), so that no
 * rule of an operator's for one is dodged by another. What only its capitals tell from a repository (`Host/app`) keeps them.
 */
export function lowerHost(name: string): string {
  const [host = ""] = name.split("/", 1);
  const lower = host.toLowerCase();
  return /[.:]/.test(host) || lower === "localhost" ? lower + name.slice(host.length) : name;
}

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isLower = (c: number): boolean => c >= 97 && c <= 122;
const isAlnum = (c: number): boolean => isDigit(c) || isLower(c) || (c >= 65 && c <= 90);

/** `host[:port]`: a name or an IPv4 address. */
export function isRegistryHost(text: string): boolean {
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
  const isNamed = host.split(".").every((label) => {
    if (label === "" || label.startsWith("-") || label.endsWith("-")) return false;
    return [...label].every((c) => c === "-" || isAlnum(c.charCodeAt(0)));
  });
  // A name whose last label is a number is an IPv4 address, or nothing (URL Standard 3.5).
  return isNamed && URL.canParse(`https://${text}`);
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
