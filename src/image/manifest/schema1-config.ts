// A schema 1 manifest has its config in its layers' texts. How one becomes the other (semantics 3.7.1, 3.7.2), byte for byte as
// containers/image does it, which did it as docker did.

import { createHash } from "node:crypto";
import { hexOf, type Digest } from "../digest.ts";
import {
  goArray,
  goMap,
  goRaw,
  goString,
  goStrings,
  goStruct,
  unlessEmpty,
  type Json,
} from "../go-json.ts";
import type { GoStruct } from "../go-struct.ts";
import { rawMembers } from "../json.ts";
import { readConfig } from "./config.ts";
import { dockerImageFields } from "./docker-image.ts";
import { EMPTY_LAYER } from "./empty-layer.ts";
import { rejected } from "./refused.ts";
import { v1CompatibilityOf, type Schema1Entry, type V1Compatibility } from "./schema1.ts";

/** Fields of a layer's text that are no part of a config. */
const V1_ONLY = ["id", "parent", "parent_id", "layer_id", "throwaway", "Size"] as const;

/** The config of a schema 1 image. `diffIds`: of the layers that are not empty, root first. */
export function configOf(
  entries: readonly [Schema1Entry, ...Schema1Entry[]],
  diffIds: readonly Digest[],
): Buffer {
  const fields = new Map(topFields(entries[0].v1Compatibility));
  for (const name of V1_ONLY) fields.delete(name);
  fields.set(
    "rootfs",
    goStruct({ type: goString("layers"), diff_ids: unlessEmpty(diffIds, goStrings) }),
  );
  fields.set(
    "history",
    goArray(entries.map((e, i) => historyEntry(v1CompatibilityOf(e, i))).toReversed()),
  );
  return Buffer.from(goMap(fields));
}

/** Docker before 1.8.3 left out fields that later versions must have: its texts are written anew, others stay what they are. */
function topFields(text: string): Iterable<readonly [string, Json]> {
  return readConfig(Buffer.from(text), (image) => {
    const anew = dockerImageFields(image);
    return isOlder(image.string("docker_version"), "1.8.3")
      ? anew
      : Array.from(rawMembers(text), ([name, value]) => [name, goRaw(value)] as const);
  });
}

/** Compares versions number by number; what is no number counts as 0. No version is not an old one. */
function isOlder(version: string, than: string): boolean {
  if (version === "") return false;
  const numbers = (text: string) =>
    text.split(".").map((n) => (/^[+-]?\d+$/.test(n) ? Number(n) : 0));
  const [a, b] = [numbers(version), numbers(than)];
  const differs = Array.from(
    { length: Math.max(a.length, b.length) },
    (_, i) => (a[i] ?? 0) - (b[i] ?? 0),
  );
  return (differs.find((difference) => difference !== 0) ?? 0) < 0;
}

const historyEntry = (entry: V1Compatibility): Json =>
  goStruct({
    created: goString(entry.created),
    author: unlessEmpty(entry.author, goString),
    created_by: unlessEmpty(entry.command.join(" "), goString),
    comment: unlessEmpty(entry.comment, goString),
    empty_layer: entry.throwaway ? "true" : undefined,
  });

/** One step of an image's history. */
interface Step {
  readonly entry: GoStruct;
  /** The layer that it made, or the empty one. */
  readonly digest: Digest;
  /** Which of the image's layers that is, from 0 = root; undefined: it changed no file. */
  readonly layer: number | undefined;
}

/**
 * The schema 1 form of an image: an entry for each step of its history, top first, with the empty layer for those that changed no
 * file. `layersOf`: which of the image's layers the entries have, root first. Throws `manifest_rejected` where the history does not
 * say where the layers belong.
 */
export function schema1Of(
  config: Buffer,
  layers: readonly Digest[],
): {
  readonly architecture: string;
  readonly entries: readonly [Schema1Entry, ...Schema1Entry[]];
  readonly layersOf: readonly (number | undefined)[];
} {
  return readConfig(config, (image) => {
    // What docker could not read must not reach it as a text that nobody checks.
    dockerImageFields(image);
    const steps = stepsOf(image.structs("history") ?? [], layers);
    const top = steps.at(-1);
    if (top === undefined)
      throw rejected("an image without a history cannot be written as docker schema 1");
    const below: Schema1Entry[] = [];
    let parent = "";
    for (const { entry, digest } of steps.slice(0, -1)) {
      const id = idOf(hexOf(digest), parent);
      below.push({ blobSum: digest, v1Compatibility: v1Text(entry, id, parent) });
      parent = id;
    }
    const id = idOf(hexOf(top.digest), parent, config.toString());
    const v1Compatibility = topText(config, id, parent, top.layer === undefined);
    return {
      architecture: image.string("architecture"),
      entries: [{ blobSum: top.digest, v1Compatibility }, ...below.toReversed()],
      layersOf: steps.map(({ layer }) => layer),
    };
  });
}

function stepsOf(history: readonly GoStruct[], layers: readonly Digest[]): readonly Step[] {
  let next = 0;
  const steps = history.map((entry): Step => {
    if (entry.flag("empty_layer")) return { entry, digest: EMPTY_LAYER.digest, layer: undefined };
    const digest = layers[next];
    if (digest === undefined)
      throw rejected(
        `the config's history needs more than the ${layers.length} layers that there are`,
      );
    return { entry, digest, layer: next++ };
  });
  if (steps.length > 0 && next < layers.length)
    throw rejected(
      `the config's history tells of ${next} layers, of ${layers.length} that there are: as docker schema 1 the image would lose the others`,
    );
  return steps;
}

const idOf = (...parts: readonly string[]): string =>
  createHash("sha256").update(parts.join(" ")).digest("hex");

const v1Text = (step: GoStruct, id: string, parent: string): string =>
  goStruct({
    id: goString(id),
    parent: unlessEmpty(parent, goString),
    comment: unlessEmpty(step.string("comment"), goString),
    created: goString(step.timeOrZero("created")),
    container_config: goStruct({ Cmd: goStrings([step.string("created_by")]) }),
    author: unlessEmpty(step.string("author"), goString),
    throwaway: step.flag("empty_layer") ? "true" : undefined,
  });

/** The top layer's text is the config, less what schema 1 says elsewhere. */
function topText(config: Buffer, id: string, parent: string, empty: boolean): string {
  const fields = new Map(
    Array.from(rawMembers(config.toString()), ([name, value]) => [name, goRaw(value)]),
  );
  fields.delete("rootfs");
  fields.delete("history");
  fields.set("id", goString(id));
  if (parent !== "") fields.set("parent", goString(parent));
  if (empty) fields.set("throwaway", "true");
  return goMap(fields);
}
