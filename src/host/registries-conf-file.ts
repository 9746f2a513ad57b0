// One file of registries.conf: its TOML, its rules, and what is wrong with it (semantics 8.4). No I/O.

import { isRegistryHost, lowerHost, parseDockerName } from "../image/reference/docker.ts";
import {
  PULL_FROM_MIRROR,
  type Mirror,
  type RegistriesConf,
  type RegistryTable,
} from "./registries-conf.ts";
import { HELPER } from "./auth-file.ts";
import { ConfFaults, parseToml, Table } from "./toml-table.ts";

const SHORT_NAME_MODES = ["enforcing", "permissive", "disabled"] as const;

/**
 * Reads a file's text. `file` is what faults call it; version 1 is for the main file only. Keys that nobody knows are ignored, as
 * containers/image ignores them. Throws `ConfFaults`.
 */
export function parseRegistriesConf(
  text: string,
  file: string,
  form: "main" | "drop-in",
): RegistriesConf {
  const faults: string[] = [];
  const document = new Table(parseToml(text, file), file, faults);
  const older = document.table("registries");
  const lists = ["search", "insecure", "block"].map((name) =>
    older?.table(name)?.strings("registries"),
  );
  const isOlder = lists.some((list) => list !== undefined);
  if (isOlder && form === "drop-in")
    document.fault("a drop-in must be of version 2, with `[[registry]]` tables");
  if (isOlder && KEYS.some((key) => document.has(key)))
    document.fault("it mixes version 1, `[registries.…]`, with version 2, `[[registry]]`");
  const conf = isOlder ? fromVersion1(lists, document) : fromVersion2(document);
  checkSearch(conf.unqualifiedSearchRegistries ?? [], document);
  if (faults.length > 0) throw new ConfFaults(faults);
  return conf;
}

/** What only version 2 has. */
const KEYS = [
  "registry",
  "unqualified-search-registries",
  "credential-helpers",
  "short-name-mode",
  "additional-layer-store-auth-helper",
  "aliases",
] as const;

function fromVersion1(
  lists: readonly (readonly string[] | undefined)[],
  document: Table,
): RegistriesConf {
  const [search, insecure = [], blocked = []] = lists.map((list) =>
    list?.map((entry) => document.location(entry)),
  );
  const registries = [...new Set([...blocked, ...insecure])].map((name) => ({
    prefix: lowerHost(name),
    location: name,
    insecure: insecure.includes(name),
    blocked: blocked.includes(name),
    mirrorByDigestOnly: false,
    mirrors: [],
  }));
  return {
    registries,
    aliases: new Map(),
    ...(search !== undefined && { unqualifiedSearchRegistries: search }),
  };
}

function fromVersion2(document: Table): RegistriesConf {
  const tables = document.tables("registry");
  const registries = tables.map(registryOf);
  for (const [i, table] of tables.entries()) checkConflicts(registries, i, table);
  const search = document.strings("unqualified-search-registries");
  const helpers = document.strings("credential-helpers");
  for (const helper of helpers ?? [])
    if (!HELPER.test(helper))
      document.fault(`\`credential-helpers\`: \`${helper}\` is not the end of a program's name`);
  const mode = document.oneOf("short-name-mode", SHORT_NAME_MODES);
  const unique = new Map<string, RegistryTable>();
  // Of two tables with one prefix the first counts.
  for (const found of registries) if (!unique.has(found.prefix)) unique.set(found.prefix, found);
  return {
    registries: [...unique.values()],
    aliases: aliasesOf(document.table("aliases")),
    ...(search !== undefined && {
      unqualifiedSearchRegistries: search.map((entry) => document.location(entry)),
    }),
    ...(helpers !== undefined && { credentialHelpers: helpers }),
    ...(mode !== undefined && { shortNameMode: mode }),
  };
}

function registryOf(table: Table): RegistryTable {
  const location = table.location(table.string("location") ?? "");
  const prefix = lowerHost(table.location(table.string("prefix") ?? "") || location);
  if (prefix === "") table.fault("it has neither `location` nor `prefix`");
  else if (location === "" && !prefix.startsWith("*."))
    table.fault("`location` may be left out only where `prefix` is `*.domain`");
  if (prefix.startsWith("*.") && /[/@:]/.test(prefix))
    table.fault(`\`prefix\` \`${prefix}\` must be \`*.domain\`, with nothing after it`);
  if (table.has("pull-from-mirror") && table.string("pull-from-mirror") !== "")
    table.fault("`pull-from-mirror` is for `[[registry.mirror]]` only");
  const mirrorByDigestOnly = table.flag("mirror-by-digest-only");
  return {
    prefix,
    location,
    insecure: table.flag("insecure"),
    blocked: table.flag("blocked"),
    mirrorByDigestOnly,
    mirrors: table.tables("mirror").map((mirror) => mirrorOf(mirror, mirrorByDigestOnly)),
  };
}

function mirrorOf(table: Table, byDigestOnly: boolean): Mirror {
  const location = table.location(table.string("location") ?? "");
  if (location === "") table.fault("`location` is missing");
  const pullFromMirror = table.oneOf("pull-from-mirror", PULL_FROM_MIRROR);
  if (pullFromMirror !== undefined && byDigestOnly)
    table.fault("`pull-from-mirror` contradicts the registry's `mirror-by-digest-only`");
  return {
    location,
    insecure: table.flag("insecure"),
    pullFromMirror: pullFromMirror ?? "all",
  };
}

/** Tables of one location must agree on what is a matter of the place, not of the name. */
function checkConflicts(all: readonly RegistryTable[], index: number, table: Table): void {
  const place = ({ location, prefix }: RegistryTable) => location || prefix;
  const self = all[index] as RegistryTable;
  const earlier = all.slice(0, index).filter((other) => place(other) === place(self));
  for (const key of ["insecure", "blocked"] as const)
    if (earlier.some((other) => other[key] !== self[key]))
      table.fault(`another table has \`${place(self)}\` with another \`${key}\``);
}

function checkSearch(registries: readonly string[], document: Table): void {
  for (const registry of registries)
    if (!isRegistryHost(registry))
      document.fault(`\`unqualified-search-registries\`: \`${registry}\` is not \`host[:port]\``);
}

/** An empty value takes back what an earlier file says. */
function aliasesOf(table: Table | undefined): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const name of table?.names ?? []) {
    const value = table?.string(name) ?? "";
    aliases.set(name, value);
    if (hasRegistry(name) || !isRepository(name))
      table?.fault(`\`${name}\` is not a short name: no registry, no tag, no digest`);
    if (value !== "" && !(hasRegistry(value) && isRepository(value)))
      table?.fault(`\`${value}\` is not a registry and a repository, without tag and digest`);
  }
  return aliases;
}

function hasRegistry(name: string): boolean {
  const [first = "", ...path] = name.split("/");
  return path.length > 0 && (/[.:]/.test(first) || first === "localhost");
}

function isRepository(name: string): boolean {
  try {
    const { tag, digest } = parseDockerName(name, name);
    return tag === undefined && digest === undefined;
  } catch {
    return false;
  }
}
