// What the manifests of all formats share: how their JSON is read, and how a descriptor is.

import type { Descriptor } from "../blob-info.ts";
import { parseDigest, type Digest } from "../digest.ts";
import { foldKey, isObject, parseJsonObject } from "../json.ts";
import { LIMITS, MANIFEST_LIMIT } from "./manifest.ts";
import { invalid } from "./refused.ts";

export type Document = Readonly<Record<string, unknown>>;

/** The fields that make a document one kind or another; any other of them makes it ambiguous (CVE-2021-41190, semantics 3.4). */
const MEANINGFUL = ["config", "fsLayers", "history", "layers", "manifests"] as const;

/**
 * Reads a manifest that was served as `mediaType` and has, of the fields that give a manifest its meaning, those in `allowed`. Throws
 * `manifest_invalid` where it has others, or calls itself none of `names`.
 */
export function readDocument(
  bytes: Buffer,
  mediaType: string,
  allowed: readonly (typeof MEANINGFUL)[number][],
  names: readonly unknown[] = [mediaType],
): Document {
  if (bytes.length > MANIFEST_LIMIT)
    throw invalid(`it has ${bytes.length} bytes, more than ${MANIFEST_LIMIT}`);
  let document: Document;
  try {
    document = parseJsonObject(bytes, { numbers: "integers" });
  } catch (error) {
    throw invalid(
      `as \`${mediaType}\` it cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  const own = document["mediaType"];
  if (own !== undefined && !names.includes(own))
    throw invalid(
      `it says of itself ${JSON.stringify(own).slice(0, 100)}, but was served as \`${mediaType}\``,
    );
  const known = new Map(MEANINGFUL.map((name) => [foldKey(name), name]));
  for (const [key, value] of Object.entries(document)) {
    const name = known.get(foldKey(key));
    if (name === undefined || value === null) continue;
    if (key !== name || !allowed.includes(name))
      throw invalid(`the field \`${key}\` makes it ambiguous as \`${mediaType}\``);
  }
  return document;
}

/** A list that may be absent, as Go has it. */
export function arrayOf(document: Document, name: string, limit: number): readonly unknown[] {
  const value = document[name] ?? [];
  if (!Array.isArray(value)) throw invalid(`\`${name}\` is not an array`);
  if (value.length > limit)
    throw invalid(`\`${name}\` has ${value.length} entries, more than ${limit}`);
  return value;
}

export function objectOf(value: unknown, where: string): Document {
  if (isObject(value)) return value;
  throw invalid(`\`${where}\` is not an object`);
}

/** A string; "" where there is none. */
export function stringOf(document: Document, name: string, where = ""): string {
  const value = document[name] ?? "";
  if (typeof value === "string") return value;
  throw invalid(`\`${where}${name}\` is not a string`);
}

/** Strings, or undefined where there are none. */
export function stringsOf(
  document: Document,
  name: string,
  where = "",
): readonly string[] | undefined {
  const value = document[name] ?? [];
  if (!isStrings(value)) throw invalid(`\`${where}${name}\` is not a list of strings`);
  return value.length > 0 ? value : undefined;
}

export function annotationsOf(
  document: Document,
  where = "",
): Readonly<Record<string, string>> | undefined {
  const value = document["annotations"] ?? undefined;
  if (value === undefined) return undefined;
  if (!isObject(value) || !isStrings(Object.values(value)))
    throw invalid(`\`${where}annotations\` are not strings`);
  return value as Readonly<Record<string, string>>;
}

/** Throws where the annotations of a manifest are more than anybody has (reliability T22). */
export function checkAnnotations(
  all: readonly { readonly annotations?: Readonly<Record<string, string>> }[],
): void {
  let total = 0;
  for (const { annotations = {} } of all) {
    const entries = Object.entries(annotations);
    if (entries.length > LIMITS.annotations)
      throw invalid(`it has ${entries.length} annotations in one place`);
    const sizes = entries.map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value));
    if (sizes.some((size) => size > LIMITS.annotationBytes))
      throw invalid(`an annotation has more than ${LIMITS.annotationBytes} bytes`);
    total += sizes.reduce((sum, size) => sum + size, 0);
  }
  if (total > LIMITS.annotationsBytes)
    throw invalid(`its annotations have more than ${LIMITS.annotationsBytes} bytes together`);
}

/** A descriptor with what all formats have. */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const descriptor = objectOf(value, where);
  const { mediaType, size } = descriptor as { mediaType?: unknown; size?: unknown };
  const digest = digestAt(descriptor["digest"], `${where}.digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`\`${where}.size\` is not a number of bytes`);
  if (typeof mediaType !== "string") throw invalid(`\`${where}.mediaType\` is not a string`);
  const urls = stringsOf(descriptor, "urls", `${where}.`);
  return { mediaType, digest, size, ...(urls && { urls }) };
}

export function digestAt(value: unknown, where: string): Digest {
  const digest = parseDigest(value);
  if (digest === undefined) throw invalid(`\`${where}\` is not a digest`);
  return digest;
}

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((v) => typeof v === "string");
