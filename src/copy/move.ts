// A blob's way through the pipeline (semantics 4.5): verified, metered, converted where that is wanted, and put.

import { peek } from "../bytes.ts";
import { detectCompression } from "../compression/detect.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import { baseOf, type Compression } from "../image/compression.ts";
import { isEncrypted } from "../image/manifest/layer-types.ts";
import { algorithmOf, type Digest } from "../image/digest.ts";
import { blamed, blameSource } from "./blame.ts";
import type { BlobFacts } from "./blob-info-cache.ts";
import { convert } from "./pipeline/convert.ts";
import type { BlobStream, CopyControl, CopyEnds, Step } from "./interfaces.ts";
import { decideConversion, type Conversion } from "./layers.ts";
import type { CopyOptions } from "./options.ts";
import { meter } from "./pipeline/meter.ts";
import { sniffing } from "./pipeline/sniffing.ts";
import { verify } from "./pipeline/verify.ts";
import { annotationsOf, type BlobOutcome, type BlobTask } from "./task.ts";

/** Bytes that tell how a blob is compressed. */
const MAGIC = 8;

/** Moves a blob that the destination has in no form. */
export async function moveBlob(
  task: BlobTask,
  ends: CopyEnds,
  options: Pick<CopyOptions, "progressIntervalMs">,
  report: CopyControl["report"],
  signal: AbortSignal,
): Promise<BlobOutcome> {
  const { blob, artifact } = task;
  const { source, destination } = ends;
  const at = { phase: "blob", digest: blob.digest } as const;
  const read = await blamed({ side: "source", ...at }, signal, () => source.getBlob(blob, signal));
  destination.expectBlob?.(blob, signal);
  report({ type: "blob-new", artifact });
  const steps: readonly Step[] = [
    blameSource(at),
    verify(blob),
    meter(artifact, options.progressIntervalMs, report),
  ];
  const stream = steps.reduce<BlobStream>((to, step) => step(to), { ...read, info: blob });
  const sniffed = sniffing(stream.content, MAGIC);
  const put: Put = (to) =>
    blamed({ side: "destination", ...at }, signal, () => destination.putBlob(to, signal));
  const seen = { ...stream, content: sniffed.content };
  const moved = mayBeChanged(task)
    ? await moveConverted(task, seen, put, signal)
    : await moveAsItIs(task, seen, sniffed.head, put, signal);
  report({
    type: "blob-done",
    artifact,
    offset: sniffed.size(),
    bytesStored: moved.stored.size,
  });
  await learn({ ...blob, size: sniffed.size() }, moved, ends);
  return outcomeOf(task, moved);
}

type Put = (stream: BlobStream) => Promise<Descriptor>;

/** What became of a blob, and what was learnt of it on the way. */
interface Moved {
  readonly stored: Descriptor;
  readonly conversion: Conversion;
  /** How the source's bytes are compressed. */
  readonly detected: Compression | undefined;
  /** What the new compression says of itself. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Of the content uncompressed, where it passed in that form. */
  readonly uncompressed: Digest | undefined;
}

/** Whether the first bytes must be known before the rest is put. */
const mayBeChanged = ({ mayConvert, wish, needsDiffId }: BlobTask): boolean =>
  needsDiffId || (mayConvert && wish.layers !== "preserve");

async function moveAsItIs(
  { blob, wish, mayConvert }: BlobTask,
  stream: BlobStream,
  head: () => Buffer,
  put: Put,
  signal: AbortSignal,
): Promise<Moved> {
  // It is asked for while the destination is: whoever puts it may have to wait for an answer before.
  await using begun = await peek(stream.content, 1, signal);
  const stored = await put({ ...stream, content: begun.content });
  checkSame(blob, stored);
  const detected = detectedIn(head(), blob);
  const conversion = decideConversion(detected, wish, mayConvert);
  const uncompressed = detected === undefined ? sha256Of(blob.digest) : undefined;
  return { stored, conversion, detected, annotations: {}, uncompressed };
}

async function moveConverted(
  { blob, wish, mayConvert, needsDiffId }: BlobTask,
  stream: BlobStream,
  put: Put,
  signal: AbortSignal,
): Promise<Moved> {
  await using peeked = await peek(stream.content, MAGIC, signal);
  const detected = detectedIn(peeked.head, blob);
  const conversion = decideConversion(detected, wish, mayConvert);
  const converted = convert(peeked.content, {
    detected,
    conversion,
    level: wish.level,
    needsDiffId,
  });
  const keeps = conversion.action === "keep";
  const stored = await put(
    keeps
      ? { ...stream, content: converted.content }
      : { content: converted.content, info: { mediaType: blob.mediaType } },
  );
  if (keeps) checkSame(blob, stored);
  return {
    stored,
    conversion,
    detected,
    annotations: converted.annotations(),
    uncompressed:
      detected === undefined
        ? sha256Of(blob.digest)
        : conversion.action === "decompress"
          ? stored.digest
          : await converted.uncompressed(),
  };
}

const detectedIn = (head: Buffer, { annotations = {} }: NamedBlob): Compression | undefined => {
  const detected = detectCompression(head);
  return detected === "zstd" && TOC in annotations ? "zstd:chunked" : detected;
};

/** The digest of zstd:chunked's table of contents (semantics 4.7). */
const TOC = "io.github.containers.zstd-chunked.manifest-checksum";

/** A diffID is a SHA-256; a blob may be named otherwise. */
const sha256Of = (digest: Digest): Digest | undefined =>
  algorithmOf(digest) === "sha256" ? digest : undefined;

function checkSame({ digest }: NamedBlob, stored: Descriptor): void {
  if (stored.digest === digest) return;
  throw new CopyError("digest_mismatch", `the blob ${digest} was stored as ${stored.digest}`, {
    side: "destination",
    phase: "blob",
    digest,
  });
}

/**
 * Both ends' blobs and how they belong together, for later copies. What others say of a blob is not learnt (that it is zstd:chunked),
 * and of encrypted bytes nothing but that they are there.
 */
async function learn(
  { digest, size, mediaType }: Descriptor,
  { stored, detected, conversion, annotations, uncompressed }: Moved,
  { source, destination, cache }: CopyEnds,
): Promise<void> {
  const content = (compression: Compression | undefined) =>
    isEncrypted(mediaType)
      ? {}
      : {
          compression: compression ?? ("none" as const),
          ...(uncompressed !== undefined && { uncompressed }),
        };
  const read = { digest, size, ...content(detected && baseOf(detected)) };
  const written =
    stored.digest === digest
      ? read
      : {
          digest: stored.digest,
          size: stored.size,
          ...content(told(conversion.compression, annotations)),
          annotations,
        };
  const facts: BlobFacts[] = [];
  if (source.location !== undefined || written !== read)
    facts.push({ ...read, ...(source.location && { at: source.location }) });
  // The last: of two forms of one content the later one is preferred.
  facts.push({ ...written, ...(destination.location && { at: destination.location }) });
  await Promise.all(facts.map((each) => cache.record(each)));
}

/** A layer that no table of contents could be made of is plain zstd, whatever was asked for. */
const told = (
  compression: Compression | undefined,
  annotations: Readonly<Record<string, string>>,
): Compression | undefined =>
  compression === "zstd:chunked" && !(TOC in annotations) ? "zstd" : compression;

function outcomeOf(
  { blob, needsDiffId }: BlobTask,
  { stored, conversion, annotations, uncompressed }: Moved,
): BlobOutcome {
  const kept = conversion.action === "keep" ? blob.annotations : annotationsOf(blob);
  const all = { ...kept, ...annotations };
  const { operation, compression } = conversion;
  return {
    update: {
      digest: stored.digest,
      size: stored.size,
      operation,
      ...(compression !== undefined && { compression }),
      ...(Object.keys(all).length > 0 && { annotations: all }),
    },
    ...(needsDiffId && uncompressed !== undefined && { diffId: uncompressed }),
  };
}
