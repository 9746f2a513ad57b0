// What Redis says of blobs, checked as strictly as what strangers say: a blob of which anything is malformed is not known.

import type { KnownCompression } from "../copy/blob-info-cache.ts";
import { parseDigest, type Digest } from "../image/digest.ts";
import { parseJsonObject } from "../image/json.ts";
import { parseDockerReference } from "../image/reference/docker.ts";

/** What is kept of a blob. */
export interface KnownBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly uncompressed?: Digest;
  readonly compression?: KnownCompression;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Higher: something was recorded of it later. */
  readonly seen: number;
  /** Where it was seen in the registry that is asked about, and when. */
  readonly places: readonly { readonly repository: string; readonly seen: number }[];
}

/** Reads what LOOK_UP answers; `registry`: the one that was asked about. */
export function parseKnownBlobs(told: unknown, registry: string | undefined): readonly KnownBlob[] {
  if (!Array.isArray(told)) return [];
  return told.map((one) => parseKnownBlob(one, registry)).filter((blob) => blob !== undefined);
}

function parseKnownBlob(told: unknown, registry: string | undefined): KnownBlob | undefined {
  if (!Array.isArray(told)) return undefined;
  const [digestText, seen, sizeText, uncompressedText, compressionText, annotationsText, at] =
    told as readonly unknown[];
  const digest = parseDigest(digestText);
  const size = parseSize(sizeText);
  const uncompressed = uncompressedText === null ? null : parseDigest(uncompressedText);
  const compression = compressionText === null ? null : parseCompression(compressionText);
  const annotations = annotationsText === null ? null : parseAnnotations(annotationsText);
  if (
    digest === undefined ||
    typeof seen !== "number" ||
    size === undefined ||
    uncompressed === undefined ||
    compression === undefined ||
    annotations === undefined
  )
    return undefined;
  return {
    digest,
    size,
    seen,
    ...(uncompressed !== null && { uncompressed }),
    ...(compression !== null && { compression }),
    ...(annotations !== null && { annotations }),
    places: parsePlaces(at, registry),
  };
}

function parseSize(text: unknown): number | undefined {
  if (typeof text !== "string" || !/^\d{1,16}$/.test(text)) return undefined;
  return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

const COMPRESSIONS = {
  none: true,
  gzip: true,
  bzip2: true,
  xz: true,
  zstd: true,
  "zstd:chunked": true,
} as const satisfies Record<KnownCompression, true>;

const parseCompression = (text: unknown): KnownCompression | undefined =>
  typeof text === "string" && Object.hasOwn(COMPRESSIONS, text)
    ? (text as KnownCompression)
    : undefined;

function parseAnnotations(text: unknown): Readonly<Record<string, string>> | undefined {
  try {
    const annotations = parseJsonObject(Buffer.from(String(text)));
    return Object.values(annotations).every((value) => typeof value === "string")
      ? (annotations as Readonly<Record<string, string>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Pairs of repository and time. */
function parsePlaces(at: unknown, registry: string | undefined): KnownBlob["places"] {
  if (!Array.isArray(at) || registry === undefined) return [];
  const pairs = Array.from({ length: at.length / 2 }, (_, index) => ({
    repository: at[2 * index] as unknown,
    seen: Number(at[2 * index + 1]),
  }));
  return pairs.filter(
    (pair): pair is KnownBlob["places"][number] =>
      Number.isFinite(pair.seen) && isRepositoryOf(registry, pair.repository),
  );
}

function isRepositoryOf(registry: string, text: unknown): boolean {
  try {
    const name = `${registry}/${String(text)}`;
    const parsed = parseDockerReference(name, name);
    return parsed.registry === registry && parsed.repository === text;
  } catch {
    return false;
  }
}
