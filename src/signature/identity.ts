// Whether the name that was signed is the name of the image (semantics 6.6.2).

import { formatDockerName, parseDockerName, type DockerName } from "../image/reference/docker.ts";
import { below, DocumentFault, fieldsAt, objectAt, stringAt } from "./fields.ts";

/** `signedIdentity` of a requirement. */
export type IdentityRule =
  | { readonly type: "matchExact" | "matchRepoDigestOrExact" | "matchRepository" }
  | { readonly type: "exactReference" | "exactRepository"; readonly name: DockerName }
  | { readonly type: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** What a requirement without `signedIdentity` means. */
export const DEFAULT_IDENTITY: IdentityRule = { type: "matchRepoDigestOrExact" };

/** Throws DocumentFault. */
export function parseIdentityRule(value: unknown, pointer: string): IdentityRule {
  const { type } = objectAt(value, pointer);
  switch (type) {
    case "matchExact":
    case "matchRepoDigestOrExact":
    case "matchRepository":
      fieldsAt(value, pointer, ["type"]);
      return { type };
    case "exactReference": {
      const name = nameAt(value, pointer, "dockerReference");
      if (isNameOnly(name))
        throw new DocumentFault(
          below(pointer, "dockerReference"),
          "has neither a tag nor a digest",
        );
      return { type, name };
    }
    case "exactRepository":
      return { type, name: nameAt(value, pointer, "dockerRepository") };
    case "remapIdentity": {
      const fields = fieldsAt(value, pointer, ["type", "prefix", "signedPrefix"]);
      const prefixAt = (key: string) => prefixOf(fields[key], below(pointer, key));
      return { type, prefix: prefixAt("prefix"), signedPrefix: prefixAt("signedPrefix") };
    }
    default:
      throw new DocumentFault(
        below(pointer, "type"),
        "is none of `matchExact`, `matchRepoDigestOrExact`, `matchRepository`, `exactReference`, `exactRepository` and `remapIdentity`",
      );
  }
}

function nameAt(value: unknown, pointer: string, key: string): DockerName {
  const at = below(pointer, key);
  const name = nameIn(stringAt(fieldsAt(value, pointer, ["type", key])[key], at));
  if (name === undefined) throw new DocumentFault(at, "is not a docker reference");
  return name;
}

/** `host[:port]`, or a full name below it, without tag and digest. */
function prefixOf(value: unknown, pointer: string): string {
  const prefix = stringAt(value, pointer);
  const name = fullNameIn(prefix.includes("/") ? prefix : `${prefix}/x`);
  if (name === undefined || !isNameOnly(name))
    throw new DocumentFault(pointer, "is not a `host[:port]`, or a repository below one");
  return prefix;
}

/**
 * Whether `signed`, the reference in a signature, stands for the image. `image`: what the source's reference calls it; undefined where
 * its transport has no docker names. Nothing adds `:latest` here.
 */
export function matchesIdentity(
  rule: IdentityRule,
  image: DockerName | undefined,
  signed: string,
): boolean {
  const name = nameIn(signed);
  if (name === undefined) return false;
  switch (rule.type) {
    case "exactReference":
      return isExactly(rule.name, name);
    case "exactRepository":
      return isSameRepository(rule.name, name);
    default:
      return image !== undefined && matchesImage(rule, image, name);
  }
}

function matchesImage(
  rule: Extract<IdentityRule, { type: `match${string}` | "remapIdentity" }>,
  image: DockerName,
  signed: DockerName,
): boolean {
  switch (rule.type) {
    case "matchExact":
      return isExactly(image, signed);
    case "matchRepository":
      return isSameRepository(image, signed);
    case "matchRepoDigestOrExact":
      return matchesRepoDigestOrExact(image, signed);
    case "remapIdentity": {
      const remapped = remap(rule, image);
      return remapped !== undefined && matchesRepoDigestOrExact(remapped, signed);
    }
  }
}

/** That the digest is the manifest's is another check. */
function matchesRepoDigestOrExact(image: DockerName, signed: DockerName): boolean {
  if (isNameOnly(signed)) return false;
  if (image.tag !== undefined) return isExactly(image, signed);
  return image.digest !== undefined && isSameRepository(image, signed);
}

/** The image's name with `signedPrefix` for `prefix`, if it begins with it. Undefined: what results is not a full name. */
export function remap(
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
  image: DockerName,
): DockerName | undefined {
  const name = repositoryOf(image);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  return fullNameIn(signedPrefix + formatDockerName(image).slice(prefix.length));
}

const isNameOnly = ({ tag, digest }: DockerName): boolean =>
  tag === undefined && digest === undefined;

const isExactly = (a: DockerName, b: DockerName): boolean =>
  !isNameOnly(a) && !isNameOnly(b) && formatDockerName(a) === formatDockerName(b);

const isSameRepository = (a: DockerName, b: DockerName): boolean =>
  repositoryOf(a) === repositoryOf(b);

export const repositoryOf = ({ registry, repository }: DockerName): string =>
  `${registry}/${repository}`;

/** Docker's short forms are taken. */
function nameIn(text: string): DockerName | undefined {
  try {
    return parseDockerName(text, text);
  } catch {
    return undefined;
  }
}

/** Only a name with all its parts written out. */
function fullNameIn(text: string): DockerName | undefined {
  const name = nameIn(text);
  return name !== undefined && formatDockerName(name) === text ? name : undefined;
}
