// One image of a docker archive as containers/image sees it: a schema 2 manifest is made for it, which names the layers by their diffIDs.
// So manifest and blobs are the same whoever saved the image, and however (semantics 7.6).

import { fromBuffer, type Bytes } from "../../bytes.ts";
import { CopyError, type ErrorContext } from "../../errors.ts";
import { digestOf, parseDigest, type Digest } from "../../image/digest.ts";
import { isObject, parseJsonObject } from "../../image/json.ts";
import type { RawManifest } from "../../image/manifest/manifest.ts";
import { DOCKER_CONFIG, DOCKER_LAYER, SCHEMA2 } from "../../image/media-types.ts";
import type { DockerArchiveReference } from "../../image/reference/docker-save.ts";
import { readAt, type Region, type RegularFile } from "../files.ts";
import { readArchive, type TarArchive } from "../tar/archive.ts";
import { compressionOf, lengthOf, unpacked } from "../unpacked.ts";
import { chooseItem, parseItems, type ArchiveItem } from "./items.ts";

/** Bytes that are read of them, as in containers/image. */
const LIMITS = { manifest: 1024 * 1024, config: 4 * 1024 * 1024 } as const;

export interface SavedImage {
  readonly manifest: RawManifest;
  /** The bytes of a blob, layers uncompressed, each time anew; undefined: the image has no such blob. */
  blob(digest: Digest): Bytes | undefined;
}

/** Which image of an archive, and how messages name it. */
export interface Wanted extends Pick<DockerArchiveReference, "name" | "entry"> {
  readonly title: string;
}

interface Layer {
  /** Bytes, uncompressed. */
  readonly size: number;
  readonly content: () => Bytes;
}

/** `file` stays open as long as blobs are read. Throws `source_not_found`, `manifest_invalid`. */
export async function readSavedImage(
  file: RegularFile,
  wanted: Wanted,
  context: ErrorContext,
  signal: AbortSignal,
): Promise<SavedImage> {
  const reader = await openReader(file, context, signal);
  const item = chooseItem(await reader.items(), wanted);
  if ("reason" in item)
    throw new CopyError("source_not_found", `\`${wanted.title}\`: ${item.reason}`, context);
  const config = await reader.small(item.config, LIMITS.config);
  const diffIds = reader.parsed(item.config, () => diffIdsIn(config));
  const layers = await reader.layers(item, diffIds);
  const configDigest = digestOf(config);
  return {
    manifest: manifestOf({ digest: configDigest, size: config.length }, diffIds, layers),
    blob: (digest) =>
      digest === configDigest ? fromBuffer(config) : layers.get(digest)?.content(),
  };
}

/** All images of an archive. Throws `manifest_invalid`. */
export async function readItems(
  file: RegularFile,
  context: ErrorContext,
  signal: AbortSignal,
): Promise<readonly ArchiveItem[]> {
  return (await openReader(file, context, signal)).items();
}

const openReader = async (
  file: RegularFile,
  context: ErrorContext,
  signal: AbortSignal,
): Promise<Reader> =>
  new Reader(file, await readArchive(file, "first", context, signal), context, signal);

/** The members of one archive; what is wrong with them is `manifest_invalid`. */
class Reader {
  readonly #file: RegularFile;
  readonly #archive: TarArchive;
  readonly #context: ErrorContext;
  readonly #signal: AbortSignal;

  constructor(file: RegularFile, archive: TarArchive, context: ErrorContext, signal: AbortSignal) {
    this.#file = file;
    this.#archive = archive;
    this.#context = context;
    this.#signal = signal;
  }

  async items(): Promise<readonly ArchiveItem[]> {
    const bytes = await this.small("manifest.json", LIMITS.manifest);
    return this.parsed("manifest.json", () => parseItems(bytes));
  }

  async small(name: string, limit: number): Promise<Buffer> {
    const region = this.#find(name);
    if (region.size > limit)
      throw this.#invalid(`\`${named(name)}\` has ${region.size} bytes, more than ${limit}`);
    return readAt(this.#file, region);
  }

  parsed<T>(name: string, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw this.#invalid(`\`${named(name)}\` is not valid: ${why}`, error);
    }
  }

  /** By diffID; an image may have one more than once. */
  async layers(
    { layers: names }: ArchiveItem,
    diffIds: readonly Digest[],
  ): Promise<ReadonlyMap<Digest, Layer>> {
    if (names.length !== diffIds.length)
      throw this.#invalid(
        `\`manifest.json\` names ${names.length} layers, the image's config ${diffIds.length}`,
      );
    const nameOf = new Map<Digest, string>();
    for (const [i, name] of names.entries()) {
      const diffId = diffIds[i] as Digest;
      if (!nameOf.has(diffId)) nameOf.set(diffId, name);
    }
    if (new Set(nameOf.values()).size < nameOf.size)
      throw this.#invalid("one of its files stands for two different layers");
    const layers = new Map<Digest, Layer>();
    for (const [diffId, name] of nameOf) layers.set(diffId, await this.#layer(this.#find(name)));
    return layers;
  }

  async #layer(region: Region): Promise<Layer> {
    const compression = await compressionOf(this.#file, region);
    const content = (): Bytes => unpacked(this.#file, region, compression);
    const size = compression === undefined ? region.size : await lengthOf(content(), this.#signal);
    return { size, content };
  }

  #find(name: string): Region {
    const region = this.#archive.find(name);
    if (region !== undefined) return region;
    throw this.#invalid(
      name === "manifest.json"
        ? "it has no `manifest.json`, as `docker save` has written it since version 1.10"
        : `\`${named(name)}\`, which its manifest.json names, is missing`,
    );
  }

  #invalid(why: string, cause?: unknown): CopyError {
    return new CopyError(
      "manifest_invalid",
      `the docker archive is refused: ${why}`,
      this.#context,
      cause,
    );
  }
}

const named = (member: string): string => member.slice(0, 128);

/** Throws an Error that says what is wrong. */
function diffIdsIn(config: Buffer): readonly Digest[] {
  const { rootfs } = parseJsonObject(config, { keys: "exact" }) as { rootfs?: unknown };
  if (!isObject(rootfs)) throw new Error("`rootfs` is missing");
  const diffIds = rootfs["diff_ids"] ?? [];
  if (!Array.isArray(diffIds)) throw new Error("`rootfs.diff_ids` is not a list");
  return diffIds.map((text: unknown, i) => {
    const diffId = parseDigest(text);
    if (diffId === undefined) throw new Error(`\`rootfs.diff_ids[${i}]\` is not a digest`);
    return diffId;
  });
}

/** In the order of fields, and without blanks, as Go writes it: the digest is the one that skopeo shows. */
function manifestOf(
  { digest, size }: { readonly digest: Digest; readonly size: number },
  diffIds: readonly Digest[],
  layers: ReadonlyMap<Digest, Layer>,
): RawManifest {
  const document = {
    schemaVersion: 2,
    mediaType: SCHEMA2,
    config: { mediaType: DOCKER_CONFIG, size, digest },
    layers: diffIds.map((diffId) => ({
      mediaType: `${DOCKER_LAYER}.gzip`,
      size: layers.get(diffId)?.size,
      digest: diffId,
    })),
  };
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType: SCHEMA2 };
}
