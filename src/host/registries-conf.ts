// What registries.conf (version 2) says of an image's name: where it is read from, in which order, and what is not to be contacted
// (containers-registries.conf(5), semantics 8.4). Values and pure functions; registries-conf-file.ts makes the values.

import { CopyError } from "../errors.ts";
import { lowerHost, parseDockerName, type DockerName } from "../image/reference/docker.ts";

/** Which references a mirror serves. */
export const PULL_FROM_MIRROR = ["all", "digest-only", "tag-only"] as const;

export interface Mirror {
  /** `host[:port][/path]`, without a slash at its end. */
  readonly location: string;
  /** Certificates are not checked, and plain HTTP is tried where TLS is not spoken. */
  readonly insecure: boolean;
  readonly pullFromMirror: (typeof PULL_FROM_MIRROR)[number];
}

/** A `[[registry]]` table. */
export interface RegistryTable {
  /** What names must begin with, or `*.domain`; its host in lower case, as theirs. */
  readonly prefix: string;
  /** What stands in the prefix's place; "" with `*.domain` only: nothing does. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrorByDigestOnly: boolean;
  readonly mirrors: readonly Mirror[];
}

/** What a main file and its drop-ins say together; an absent field was in none of them. */
export interface RegistriesConf {
  /** Each prefix once. */
  readonly registries: readonly RegistryTable[];
  /** For short names, which our references never are: checked, not used. */
  readonly unqualifiedSearchRegistries?: readonly string[];
  /** `containers-auth.json`, or what follows `docker-credential-` in a program's name. */
  readonly credentialHelpers?: readonly string[];
  readonly shortNameMode?: string;
  /** Short names by what they stand for; "" in a drop-in removes one. Checked, not used. */
  readonly aliases: ReadonlyMap<string, string>;
}

export const NO_REGISTRIES: RegistriesConf = { registries: [], aliases: new Map() };

/** A place that an image may be read from. */
export interface PullSource {
  /** As the place has it: rewritten, with the tag and digest that were asked for. */
  readonly reference: DockerName;
  readonly insecure: boolean;
  /** The prefix of the table that forbids it; undefined: none does. */
  readonly blockedBy: string | undefined;
}

/** The table with the longest prefix that a name, `registry/repository`, begins with. */
export function findTable({ registries }: RegistriesConf, name: string): RegistryTable | undefined {
  let found: RegistryTable | undefined;
  for (const table of registries) {
    const isLonger = table.prefix.length > (found?.prefix.length ?? 0);
    if (isLonger && matchOf(name, table.prefix) !== undefined) found = table;
  }
  return found;
}

/**
 * How many characters of a name its prefix stands for; undefined: it does not match. As in containers/image, `example.com` matches
 * `example.com:5000` too.
 */
export function matchOf(name: string, prefix: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = /^[^:/@]*/.exec(name)?.[0] ?? "";
    return host.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  if (!name.startsWith(prefix)) return undefined;
  const isWhole = name.length === prefix.length || ":/@".includes(name.charAt(prefix.length));
  return isWhole ? prefix.length : undefined;
}

/** What is said of a place that is contacted by this very name: as a destination, for its tags. */
export function placeOf(
  conf: RegistriesConf,
  name: DockerName,
): Pick<PullSource, "insecure" | "blockedBy"> {
  const table = findTable(conf, nameOf(name));
  return {
    insecure: table?.insecure ?? false,
    blockedBy: table?.blocked === true ? table.prefix : undefined,
  };
}

/**
 * The places that an image is read from, in order: its mirrors, then its own, which is always there. Whether it is asked for by digest is what the reference
 * says, not what an earlier attempt found its tag to name. Throws `reference_invalid` where a rewritten name is none.
 */
export function pullSourcesOf(conf: RegistriesConf, reference: DockerName): readonly PullSource[] {
  const table = findTable(conf, nameOf(reference));
  if (table === undefined) return [{ reference, insecure: false, blockedBy: undefined }];
  const sourceAt = ({ location, insecure }: Pick<Mirror, "location" | "insecure">) => {
    const rewritten = rewrite(reference, table.prefix, location);
    const { blockedBy } = placeOf(conf, rewritten);
    return { reference: rewritten, insecure, blockedBy };
  };
  const mirrors = table.mirrors.filter((mirror) => serves(mirror, table, reference));
  const own = sourceAt(table);
  // Mirrors of a registry that is blocked are how an operator says: never there, only here.
  const primary = table.blocked ? { ...own, blockedBy: table.prefix } : own;
  return [...mirrors.map(sourceAt), primary];
}

function serves(
  { pullFromMirror }: Mirror,
  { mirrorByDigestOnly }: RegistryTable,
  { digest }: DockerName,
): boolean {
  const isDigested = digest !== undefined;
  if (mirrorByDigestOnly || pullFromMirror === "digest-only") return isDigested;
  return pullFromMirror === "all" || !isDigested;
}

/** The same image below `location`. Throws `reference_invalid` where that is not a name with all its parts, as containers/image does. */
export function rewrite(reference: DockerName, prefix: string, location: string): DockerName {
  if (location === "") return reference;
  const name = nameOf(reference);
  const matched = matchOf(name, prefix);
  if (matched === undefined) throw new Error(`${name} does not begin with ${prefix}`);
  const text = lowerHost(location + name.slice(matched));
  const parsed = tryParse(text);
  if (parsed === undefined || nameOf(parsed) !== text)
    throw new CopyError(
      "reference_invalid",
      `the operator's registries.conf has \`${name}\` read from \`${text}\`, which is not a registry and a repository`,
    );
  const { tag, digest } = reference;
  return {
    ...parsed,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function tryParse(text: string): DockerName | undefined {
  try {
    return parseDockerName(text, text);
  } catch {
    return undefined;
  }
}

const nameOf = ({ registry, repository }: DockerName): string => `${registry}/${repository}`;

/** What both say: a later file's tables replace those of the same prefix, its lists and words replace, its aliases are added. */
export function merge(earlier: RegistriesConf, later: RegistriesConf): RegistriesConf {
  const byPrefix = new Map(
    [...earlier.registries, ...later.registries].map((table) => [table.prefix, table]),
  );
  const aliases = new Map([...earlier.aliases, ...later.aliases]);
  for (const [name, value] of aliases) if (value === "") aliases.delete(name);
  return { ...earlier, ...later, registries: [...byPrefix.values()], aliases };
}
