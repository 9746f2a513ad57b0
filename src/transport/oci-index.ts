// index.json of an OCI image layout as data: which entry a reference names, and what becomes of the entries when an image is
// added (OCI image-spec, image-layout.md; semantics 7.3). Entries are kept as they were read, with all that we do not know.

import { isDeepStrictEqual } from "node:util";
import type { Descriptor } from "../image/blob-info.ts";
import { parseDigest, type Digest } from "../image/digest.ts";
import { isObject, parseJsonObject } from "../image/json.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../image/media-types.ts";
import type { OciArchiveReference, OciReference } from "../image/reference/files.ts";
import { isCosignTag } from "./referrer-tags.ts";

type Entry = Readonly<Record<string, unknown>>;

export interface LayoutIndex {
  /** All fields besides `manifests`. */
  readonly rest: Readonly<Record<string, unknown>>;
  readonly entries: readonly Entry[];
}

/** What an entry says of its manifest; its type may be missing. */
export interface Selected {
  readonly digest: Digest;
  readonly mediaType: string | undefined;
}

export const EMPTY_INDEX: LayoutIndex = {
  rest: { schemaVersion: 2, mediaType: OCI_INDEX },
  entries: [],
};

const REF_NAME = "org.opencontainers.image.ref.name";
/** The types that an entry's manifest may have to be chosen by name (semantics 7.3). */
const SELECTABLE: ReadonlySet<unknown> = new Set([
  undefined,
  "",
  OCI_MANIFEST,
  OCI_INDEX,
  SCHEMA2,
  DOCKER_LIST,
]);
/** Names that a message lists. */
const NAMES_SHOWN = 10;

/** Throws an Error that says what is wrong. */
export function parseIndex(bytes: Uint8Array): LayoutIndex {
  const { manifests = [], ...rest } = parseJsonObject(bytes) as { manifests?: unknown };
  if (!Array.isArray(manifests)) throw new Error("`manifests` is not an array");
  const broken = manifests.findIndex(
    (entry) => !isObject(entry) || parseDigest(entry["digest"]) === undefined,
  );
  if (broken >= 0) throw new Error(`\`manifests[${broken}]\` is not a descriptor with a digest`);
  return { rest, entries: manifests as Entry[] };
}

export const formatIndex = (index: LayoutIndex): Buffer =>
  Buffer.from(JSON.stringify({ ...index.rest, manifests: index.entries }));

/** The entry that a source reference names, or the reason why there is none. */
export function selectEntry(
  index: LayoutIndex,
  reference: OciReference | OciArchiveReference,
): Selected | { readonly reason: string } {
  const { entries } = index;
  const { entry: at, name } = reference;
  if (at !== undefined)
    return (
      selected(entries[at]) ?? {
        reason: `there is no entry @${at}, the layout has ${entries.length}`,
      }
    );
  if (name === undefined) {
    const images = entries.length === 1 ? entries : entries.filter((e) => !isReferrer(e));
    if (images.length === 1) return selected(images[0]) as Selected;
    return {
      reason:
        entries.length === 0
          ? "the layout is empty"
          : `the layout has ${entries.length} images, name one of them; ${namesOf(index)}`,
    };
  }
  const named = entries.filter((entry) => nameOf(entry) === name);
  if (named.length === 0) return { reason: `no image of that name; ${namesOf(index)}` };
  const fit = named.find((entry) => SELECTABLE.has(entry["mediaType"]));
  return (
    selected(fit) ?? {
      reason: `what has that name is no image, but \`${String(named[0]?.["mediaType"]).slice(0, 200)}\``,
    }
  );
}

/** What only refers to an image: it does not make that image one of several. */
const isReferrer = (entry: Entry): boolean => {
  const name = nameOf(entry);
  return name === undefined ? typeof entry["artifactType"] === "string" : isCosignTag(name);
};

/** The entry that has a name, whatever its type. */
export const entryNamed = (index: LayoutIndex, name: string): Selected | undefined =>
  selected(index.entries.find((entry) => nameOf(entry) === name));

/** What all entries say, in their order. */
export const entriesOf = ({ entries }: LayoutIndex): readonly Selected[] =>
  entries.flatMap((entry) => selected(entry) ?? []);

/** What each entry can be asked for by: its name, or its place where it has none. */
export const namesIn = ({ entries }: LayoutIndex): readonly string[] => [
  ...new Set(entries.map((entry, at) => nameOf(entry) ?? `@${at}`)),
];

/** The type that the index gives a digest, if it lists it. */
export const typeOf = (index: LayoutIndex, digest: Digest): string | undefined =>
  selected(index.entries.find((entry) => entry["digest"] === digest))?.mediaType;

/** The index in which a name is that of another manifest; of what had it nothing is left. */
export const replaceEntry = (
  { rest, entries }: LayoutIndex,
  { mediaType, digest, size }: Descriptor,
  name: string,
): LayoutIndex => ({
  rest,
  entries: [
    ...entries.filter((entry) => nameOf(entry) !== name),
    { mediaType, digest, size, annotations: { [REF_NAME]: name } },
  ],
});

/**
 * The index with an image added (semantics 7.3): the name moves, what had it stays without a name; an entry without a name and
 * with the same digest is replaced, so that a copy that is repeated adds nothing.
 */
export function addEntry(
  index: LayoutIndex,
  descriptor: Descriptor,
  name: string | undefined,
): LayoutIndex {
  const { mediaType, digest, size } = descriptor;
  const added: Entry = {
    mediaType,
    digest,
    size,
    ...(name !== undefined && { annotations: { [REF_NAME]: name } }),
  };
  const others = index.entries.flatMap((entry, i) => {
    if (name === undefined || nameOf(entry) !== name) return [entry];
    const unnamed = withoutName(entry);
    return index.entries.some((other, j) => i !== j && isDeepStrictEqual(other, unnamed))
      ? []
      : [unnamed];
  });
  const at = others.findIndex((entry) => entry["digest"] === digest && nameOf(entry) === undefined);
  return { ...index, entries: at < 0 ? [...others, added] : others.with(at, added) };
}

function withoutName(entry: Entry): Entry {
  const { annotations, ...rest } = entry as { annotations?: Readonly<Record<string, unknown>> };
  const { [REF_NAME]: _, ...kept } = annotations ?? {};
  return Object.keys(kept).length === 0 ? rest : { ...rest, annotations: kept };
}

function nameOf(entry: Entry): string | undefined {
  const annotations = entry["annotations"];
  const name = isObject(annotations) ? annotations[REF_NAME] : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

function selected(entry: Entry | undefined): Selected | undefined {
  if (entry === undefined) return undefined;
  const mediaType = entry["mediaType"];
  return {
    digest: parseDigest(entry["digest"]) as Digest,
    mediaType: typeof mediaType === "string" && mediaType !== "" ? mediaType : undefined,
  };
}

function namesOf(index: LayoutIndex): string {
  const names = index.entries.flatMap((entry) => nameOf(entry)?.slice(0, 128) ?? []);
  if (names.length === 0)
    return "none of its images has a name: choose by place, `@0` is the first";
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : "";
  return `there are ${names
    .slice(0, NAMES_SHOWN)
    .map((n) => `\`${n}\``)
    .join(", ")}${more}`;
}
