// Docker schema 1 (semantics 3.4, 3.6): no config blob, but a JSON text for each layer. The top layer comes first, its text is the
// image's configuration; each names its parent.

import { GoStruct } from "../go-struct.ts";
import { goArray, goString, goStruct } from "../go-json.ts";
import { parseJsonObject } from "../json.ts";
import type { Digest } from "../digest.ts";
import { arrayOf, digestAt, objectOf, readDocument, stringOf } from "./document.ts";
import { LIMITS, type RawManifest } from "./manifest.ts";
import { invalid } from "./refused.ts";
import { payloadOf, withDummySignature } from "./schema1-signature.ts";
import { SCHEMA1, SCHEMA1_SIGNED } from "../media-types.ts";

export interface Schema1Manifest {
  /** The repository's path, without a host. */
  readonly name: string;
  readonly tag: string;
  readonly architecture: string;
  /** Top first; at least one. */
  readonly entries: readonly [Schema1Entry, ...Schema1Entry[]];
}

export interface Schema1Entry {
  readonly blobSum: Digest;
  /** The JSON text. */
  readonly v1Compatibility: string;
}

/** What of a layer's JSON text matters to others. */
export interface V1Compatibility {
  readonly id: string;
  readonly parent: string;
  readonly comment: string;
  /** As Go writes it. */
  readonly created: string;
  readonly command: readonly string[];
  readonly author: string;
  /** The layer changes nothing. */
  readonly throwaway: boolean;
}

/**
 * Parses a schema 1 manifest, signed or not, without looking at who signed it. Adjacent entries of one id count once. Throws
 * `manifest_invalid` where the chain of parents is broken, or what is signed is not what it says.
 */
export function parseSchema1(manifest: RawManifest): Schema1Manifest {
  const { bytes, mediaType } = manifest;
  const names = [SCHEMA1, SCHEMA1_SIGNED];
  const document = readDocument(bytes, mediaType, ["fsLayers", "history"], names);
  if ((document["signatures"] ?? null) !== null) payloadOf(bytes);
  if (document["schemaVersion"] !== 1)
    throw invalid(
      `it was served as \`${mediaType}\`, which is docker schema 1, and its \`schemaVersion\` is not 1`,
    );
  const blobs = arrayOf(document, "fsLayers", LIMITS.schema1Layers);
  const history = arrayOf(document, "history", LIMITS.schema1Layers);
  if (blobs.length !== history.length)
    throw invalid(`it has ${blobs.length} \`fsLayers\`, but ${history.length} in its \`history\``);
  const entries = blobs.map((blob, i): Schema1Entry => ({
    blobSum: digestAt(objectOf(blob, `fsLayers[${i}]`)["blobSum"], `fsLayers[${i}].blobSum`),
    v1Compatibility: stringOf(
      objectOf(history[i], `history[${i}]`),
      "v1Compatibility",
      `history[${i}].`,
    ),
  }));
  const [top, ...others] = withoutRepeated(entries);
  if (top === undefined) throw invalid("it has no layers");
  return {
    name: stringOf(document, "name"),
    tag: stringOf(document, "tag"),
    architecture: stringOf(document, "architecture"),
    entries: [top, ...others],
  };
}

/** Checks ids and parents; leaves out the upper one of two neighbours with one id (containers/image, fixManifestLayers). */
function withoutRepeated(entries: readonly Schema1Entry[]): readonly Schema1Entry[] {
  const parsed = entries.map((entry, i) => ({ entry, ...v1CompatibilityOf(entry, i) }));
  const bad = parsed.find(({ id }) => !/^[0-9a-f]{64}$/.test(id));
  if (bad !== undefined) throw invalid(`the image id \`${bad.id.slice(0, 100)}\` is not one`);
  const kept = parsed.filter(({ id }, i) => id !== parsed[i + 1]?.id);
  const seen = new Set<string>();
  for (const [i, { id, parent }] of kept.entries()) {
    if (seen.has(id)) throw invalid(`the image id ${id} occurs in two places`);
    seen.add(id);
    const expected = kept[i + 1]?.id ?? "";
    if (parent !== expected)
      throw invalid(
        `the parent of ${id} is \`${parent.slice(0, 100)}\`, its next layer \`${expected}\``,
      );
  }
  return kept.map(({ entry }) => entry);
}

/** `at`: which entry it is, for messages. */
export function v1CompatibilityOf({ v1Compatibility }: Schema1Entry, at: number): V1Compatibility {
  try {
    const fields = new GoStruct(parseJsonObject(Buffer.from(v1Compatibility), { keys: "exact" }));
    return {
      id: fields.string("id"),
      parent: fields.string("parent"),
      comment: fields.string("comment"),
      created: fields.timeOrZero("created"),
      command: fields.struct("container_config").strings("Cmd") ?? [],
      author: fields.string("author"),
      throwaway: fields.flag("throwaway"),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(`\`history[${at}].v1Compatibility\`: ${why}`, error);
  }
}

/** The manifest with a signature by nobody, which is what registries take. */
export function writeSchema1(manifest: Schema1Manifest): RawManifest {
  const { name, tag, architecture, entries } = manifest;
  const document = goStruct({
    name: goString(name),
    tag: goString(tag),
    architecture: goString(architecture),
    fsLayers: goArray(entries.map(({ blobSum }) => goStruct({ blobSum: goString(blobSum) }))),
    history: goArray(
      entries.map(({ v1Compatibility }) =>
        goStruct({ v1Compatibility: goString(v1Compatibility) }),
      ),
    ),
    schemaVersion: "1",
  });
  return { mediaType: SCHEMA1_SIGNED, bytes: withDummySignature(Buffer.from(document)) };
}
