// An archive as `docker load` takes it, written in one pass, as containers/image lays it out (semantics 7.6). A blob's header is written
// before its content and filled in after it, when name and size are known.

import type { FileHandle } from "node:fs/promises";
import type { BlobStream } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { Descriptor } from "../../image/blob-info.ts";
import { hexOf, type Digest } from "../../image/digest.ts";
import type { RawManifest } from "../../image/manifest/manifest.ts";
import { parseImage } from "../../image/manifest/parse.ts";
import { SCHEMA2 } from "../../image/media-types.ts";
import { formatDockerName, type DockerReference } from "../../image/reference/docker.ts";
import { arriving } from "../arriving.ts";
import type { Region } from "../files.ts";
import { pourInto, writeAt } from "../pour.ts";
import { disk } from "../store.ts";
import { BLOCK, formatHeader, padded, paddingOf, type NewMember } from "../tar/header.ts";
import { legacyLayers, repositoriesOf, type LegacyLayer } from "./legacy.ts";

const CONFIG_LIMIT = 4 * 1024 * 1024;

interface Stored extends Region {
  /** Where its header is. */
  readonly header: number;
}

export class DockerArchiveWriter {
  readonly #file: FileHandle;
  readonly #blobs = new Map<Digest, Stored>();
  #end = 0;

  /** `file` is empty, and stays the caller's. */
  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Bytes of a blob that is in the archive. */
  sizeOf(digest: Digest): number | undefined {
    return this.#blobs.get(digest)?.size;
  }

  /** One at a time. Throws `size_mismatch`. */
  async putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    const { content, descriptor } = arriving(blob);
    const header = this.#end;
    // A digest that is not known yet will be a SHA-256: the name's length is known, and with it the header's.
    const name = layerName(blob.info.digest ?? `sha256:${"0".repeat(64)}`);
    const offset = header + formatHeader(fileMember(name, 0)).length;
    const size = await pourInto(this.#file, content, { at: offset, side: "destination" }, signal);
    const stored = descriptor(size);
    if (this.#blobs.has(stored.digest)) {
      // Layers that were compressed differently can be the same one.
      await disk(this.#file.truncate(header));
      return stored;
    }
    await writeAt(this.#file, formatHeader(fileMember(layerName(stored.digest), size)), header);
    this.#end = offset + size + paddingOf(size);
    this.#blobs.set(stored.digest, { header, offset, size });
    return stored;
  }

  /** Completes the archive. Throws `manifest_rejected` for another manifest than schema 2, `manifest_invalid`. */
  async finish(manifest: RawManifest, names: readonly DockerReference[]): Promise<void> {
    const { config, layers } = imageIn(manifest);
    const legacy = legacyOf(layers, await this.#takeConfig(config));
    for (const { id, layer, json } of legacy) {
      await this.#add(linkMember(`${id}/layer.tar`, `../${layerName(this.#known(layer))}`));
      await this.#addText(`${id}/VERSION`, "1.0");
      await this.#addText(`${id}/json`, json);
    }
    const item = {
      Config: configName(config),
      RepoTags: [...new Set(names.map(formatDockerName))],
      Layers: layers.map(layerName),
    };
    await this.#addText("manifest.json", JSON.stringify([item]));
    await this.#addText("repositories", repositoriesOf(names, legacy.at(-1)?.id));
    await disk(this.#file.truncate(this.#end + 2 * BLOCK));
  }

  /** Gives the blob the name of a config: that it is one was not known before the manifest. */
  async #takeConfig(digest: Digest): Promise<Buffer> {
    const { header, offset, size } = this.#stored(digest);
    if (size > CONFIG_LIMIT)
      throw invalid(`the config has ${size} bytes, more than ${CONFIG_LIMIT}`);
    await writeAt(this.#file, formatHeader(fileMember(configName(digest), size)), header);
    const bytes = Buffer.alloc(size);
    await disk(this.#file.read(bytes, 0, size, offset));
    return bytes;
  }

  #known(digest: Digest): Digest {
    this.#stored(digest);
    return digest;
  }

  #stored(digest: Digest): Stored {
    const stored = this.#blobs.get(digest);
    if (stored === undefined) throw new Error(`the manifest names ${digest}, which was not put`);
    return stored;
  }

  #addText(name: string, text: string): Promise<void> {
    const content = Buffer.from(text);
    return this.#add(fileMember(name, content.length), content);
  }

  async #add(member: NewMember, content: Buffer = Buffer.alloc(0)): Promise<void> {
    const blocks = Buffer.concat([formatHeader(member), padded(content)]);
    this.#end += await writeAt(this.#file, blocks, this.#end);
  }
}

const layerName = (digest: Digest): string => `${hexOf(digest)}.tar`;
const configName = (digest: Digest): string => `${hexOf(digest)}.json`;

const fileMember = (name: string, size: number): NewMember => ({
  name,
  type: "file",
  size,
  mode: 0o444,
});

const linkMember = (name: string, linkName: string): NewMember => ({
  name,
  type: "link",
  size: 0,
  linkName,
  mode: 0,
});

function imageIn(manifest: RawManifest): {
  readonly config: Digest;
  readonly layers: readonly Digest[];
} {
  const { config, layers } = manifest.mediaType === SCHEMA2 ? parseImage(manifest) : NO_IMAGE;
  if (config !== undefined)
    return { config: config.digest, layers: layers.map(({ digest }) => digest) };
  throw new CopyError(
    "manifest_rejected",
    `a docker archive takes docker schema 2 manifests only, not \`${manifest.mediaType}\``,
    { side: "destination", phase: "manifest" },
  );
}

const NO_IMAGE = { config: undefined, layers: [] } as const;

function legacyOf(layers: readonly Digest[], config: Buffer): readonly LegacyLayer[] {
  try {
    return legacyLayers(layers, config);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

const invalid = (why: string, cause?: unknown): CopyError =>
  new CopyError(
    "manifest_invalid",
    `the image's config is refused: ${why}`,
    { side: "source", phase: "config" },
    cause,
  );
