// Which cases there are: every pair of transports with every input that fits the source, and with every option that has a meaning there.

import { CORPUS, type InputName, type Kind } from "./corpus.ts";
import { ARCHIVES, ENGINE_IMAGES, TARBALLS } from "./files.ts";
import {
  DESTINATIONS,
  SOURCES,
  type Case,
  type DestinationName,
  type Option,
  type SourceName,
} from "./model.ts";
import { OPTIONS } from "./options.ts";
import { OWN } from "./own.ts";

const NONE: Option = { group: "none", inputs: Object.keys(CORPUS) as InputName[] };

/** What a source can hold: OCI layouts have no schema 1 by their type, and only `dir:` keeps signatures here. */
const HOLDS: Readonly<Record<SourceName, readonly Kind[]>> = {
  docker: ["image", "list", "schema1"],
  oci: ["image", "list"],
  "oci-archive": ["image", "list"],
  dir: ["image", "list", "schema1", "signed", "signed-list"],
  "docker-archive": [],
  tarball: [],
  "docker-daemon": [],
};

export function allCases(): readonly Case[] {
  const options: readonly (readonly [string, Option])[] = [
    ["none", { ...NONE, archives: keysOf(ARCHIVES), tarballs: keysOf(TARBALLS) }],
    ...Object.entries({ ...OPTIONS, ...OWN }),
  ];
  return SOURCES.flatMap((source) =>
    DESTINATIONS.flatMap((destination) =>
      options
        .filter(([, option]) => fits(option, source, destination))
        .flatMap(([optionName, option]) =>
          inputsOf(option, source).map((input) => ({
            name: `${source} → ${destination}, ${input}, ${optionName}`,
            source,
            destination,
            input,
            optionName,
            option,
          })),
        ),
    ),
  );
}

/** Debian's registry is there for what it refuses; what it takes is seen with ours. */
const DISTRIBUTION_GROUPS = ["none", "all", "format", "digest"];

/** An engine knows images by their configs and layers: what else there is to an image is seen elsewhere. */
const ENGINE_GROUPS = ["none", "all", "system", "preserve digests", "format", "compression"];

/** Whether a case needs a docker engine. */
export const needsEngine = ({ source, destination }: Case): boolean =>
  source === "docker-daemon" || destination === "docker-daemon";

function fits(
  { group, from, to }: Option,
  source: SourceName,
  destination: DestinationName,
): boolean {
  if (from?.includes(source) === false || to?.includes(destination) === false) return false;
  if ([source, destination].includes("docker-daemon")) return ENGINE_GROUPS.includes(group);
  if (destination !== "distribution") return true;
  return ["docker", "oci"].includes(source) && DISTRIBUTION_GROUPS.includes(group);
}

/** From every source, an option is tried with so many inputs; from a registry with all of them. */
const FEW = 2;

function inputsOf(option: Option, source: SourceName): readonly Case["input"][] {
  if (source === "docker-archive") return option.archives ?? [];
  if (source === "tarball") return option.tarballs ?? [];
  if (source === "docker-daemon")
    return (option.archives ?? []).filter((name) => name in ENGINE_IMAGES);
  const held = option.inputs.filter((input) => HOLDS[source].includes(CORPUS[input].kind));
  return option.group === "none" || source === "docker" ? held : held.slice(0, FEW);
}

const keysOf = <K extends string>(table: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(table) as K[];
