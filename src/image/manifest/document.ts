// What the manifests of all formats share: how their JSON is read, and how a descriptor is.

import { CopyError } from "../../errors.ts";
import type { Descriptor } from "../blob-info.ts";
import { parseDigest } from "../digest.ts";
import { isObject, parseJsonObject } from "../json.ts";
import { MANIFEST_LIMIT, type RawManifest } from "./manifest.ts";

/** The fields that make a document one kind or another; any other of them makes it ambiguous (CVE-2021-41190, semantics 3.4). */
const MEANINGFUL = ["config", "fsLayers", "history", "layers", "manifests"] as const;

export function parseManifest(
  manifest: RawManifest,
  allowed: readonly string[],
): Readonly<Record<string, unknown>> {
  if (manifest.bytes.length > MANIFEST_LIMIT)
    throw invalid(`it has ${manifest.bytes.length} bytes, more than ${MANIFEST_LIMIT}`);
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseJsonObject(manifest.bytes);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
  const own = document["mediaType"];
  if (own !== undefined && own !== manifest.mediaType)
    throw invalid(
      `it says of itself ${JSON.stringify(own).slice(0, 100)}, but was served as \`${manifest.mediaType}\``,
    );
  const known = new Map(MEANINGFUL.map((name) => [name.toLowerCase(), name]));
  for (const [key, value] of Object.entries(document)) {
    const name = known.get(key.toLowerCase());
    if (name === undefined || value === null) continue;
    if (key !== name || !allowed.includes(name))
      throw invalid(`the field \`${key}\` makes it ambiguous as \`${manifest.mediaType}\``);
  }
  return document;
}

export function arrayOf(
  document: Readonly<Record<string, unknown>>,
  name: string,
  limit: number,
): readonly unknown[] {
  const value = document[name] ?? [];
  if (!Array.isArray(value)) throw invalid(`\`${name}\` is not an array`);
  if (value.length > limit)
    throw invalid(`\`${name}\` has ${value.length} entries, more than ${limit}`);
  return value;
}

export function parseDescriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`\`${where}\` is not a descriptor`);
  const { mediaType, size, urls, annotations } = value as {
    mediaType?: unknown;
    size?: unknown;
    urls?: unknown;
    annotations?: unknown;
  };
  const digest = parseDigest(value["digest"]);
  if (digest === undefined) throw invalid(`\`${where}.digest\` is not a digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`\`${where}.size\` is not a number of bytes`);
  if (typeof mediaType !== "string") throw invalid(`\`${where}.mediaType\` is not a string`);
  if (urls !== undefined && urls !== null && !isStrings(urls))
    throw invalid(`\`${where}.urls\` is not a list of strings`);
  if (
    annotations !== undefined &&
    annotations !== null &&
    !(isObject(annotations) && isStrings(Object.values(annotations)))
  )
    throw invalid(`\`${where}.annotations\` are not strings`);
  return {
    mediaType,
    digest,
    size,
    ...(isStrings(urls) && urls.length > 0 && { urls }),
    ...(isObject(annotations) && { annotations: annotations as Record<string, string> }),
  };
}

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((v) => typeof v === "string");

export const invalid = (why: string, cause?: unknown): CopyError =>
  new CopyError(
    "manifest_invalid",
    `the manifest is refused: ${why}`,
    { side: "source", phase: "manifest" },
    cause,
  );
