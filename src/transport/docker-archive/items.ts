// manifest.json of a docker archive: what `docker save` says of the images in it, and which of them a reference means (semantics 7.6).

import { isObject, parseJson } from "../../image/json.ts";
import type { DockerArchiveReference } from "../../image/reference/docker-save.ts";
import { formatDockerName, parseDockerName } from "../../image/reference/docker.ts";

/** One image. Paths are names of members. */
export interface ArchiveItem {
  readonly config: string;
  readonly tags: readonly string[];
  /** Root first. */
  readonly layers: readonly string[];
}

/** Names that a message lists. */
const NAMES_SHOWN = 10;

/** Throws an Error that says what is wrong. */
export function parseItems(bytes: Uint8Array): readonly ArchiveItem[] {
  const items = parseJson(bytes);
  if (!Array.isArray(items)) throw new Error("it is not a list of images");
  return items.map((item: unknown, i) => {
    if (!isObject(item)) throw new Error(`its image @${i} is not an object`);
    const { Config: config, RepoTags: tags, Layers: layers } = item as Record<string, unknown>;
    if (typeof config !== "string") throw new Error(`its image @${i} has no \`Config\``);
    if (!isNames(layers)) throw new Error(`\`Layers\` of its image @${i} are not names`);
    if (!isNames(tags)) throw new Error(`\`RepoTags\` of its image @${i} are not names`);
    return { config, tags: tags ?? [], layers: layers ?? [] };
  });
}

const isNames = (value: unknown): value is readonly string[] | null | undefined =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.every((name) => typeof name === "string"));

/** The image that a reference means, or the reason why there is none. */
export function chooseItem(
  items: readonly ArchiveItem[],
  { name, entry }: Pick<DockerArchiveReference, "name" | "entry">,
): ArchiveItem | { readonly reason: string } {
  if (name !== undefined) {
    const wanted = formatDockerName(name);
    return (
      items.find(({ tags }) => tags.some((tag) => fullNameOf(tag) === wanted)) ?? {
        reason: `no image of that name; ${shown(items)}`,
      }
    );
  }
  const at = entry ?? 0;
  if (entry === undefined && items.length > 1)
    return {
      reason: `the archive has ${items.length} images, name one of them; ${shown(items)}`,
    };
  return items[at] ?? { reason: `there is no image @${at}, the archive has ${items.length}` };
}

/** A tag as docker means it; undefined: it is none. */
function fullNameOf(tag: string): string | undefined {
  try {
    return formatDockerName(parseDockerName(tag, tag));
  } catch {
    return undefined;
  }
}

/** The names of the images, `@n` for those without one. */
export const namesIn = (items: readonly ArchiveItem[]): readonly string[] => [
  ...new Set(
    items.flatMap(({ tags }, at) =>
      tags.length === 0 ? [`@${at}`] : tags.map((tag) => fullNameOf(tag) ?? tag),
    ),
  ),
];

function shown(items: readonly ArchiveItem[]): string {
  const names = namesIn(items).map((name) => `\`${name.slice(0, 128)}\``);
  if (names.length === 0) return "there are none";
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : "";
  return `there are ${names.slice(0, NAMES_SHOWN).join(", ")}${more}`;
}
