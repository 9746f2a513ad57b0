// Ends in memory, with a log of what was done to them: for tests of the engine alone.

import { fromBuffer } from "../../src/bytes.ts";
import { CopyError } from "../../src/errors.ts";
import type {
  Destination,
  DestinationTraits,
  Referrer,
  Signature,
  Source,
} from "../../src/copy/interfaces.ts";
import type { Location } from "../../src/copy/blob-info-cache.ts";
import type { Descriptor, NamedBlob } from "../../src/image/blob-info.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { manifestDigest, type RawManifest } from "../../src/image/manifest/manifest.ts";
import type { DockerReference } from "../../src/image/reference/docker.ts";
import { collect } from "./bytes.ts";
import type { TestImage, TestList } from "./images.ts";

const imagesOf = (image: TestImage | TestList): readonly TestImage[] =>
  "images" in image ? image.images : [image];

export class MemorySource implements Source {
  readonly name = "memory:source";
  readonly location?: Location;
  readonly blobs = new Map<Digest, Buffer>();
  readonly manifests = new Map<Digest, RawManifest>();
  readonly signatures: Signature[] = [];
  readonly referrers = new Map<Digest, readonly Referrer[]>();
  readonly #top: RawManifest;
  /** Digests of blobs in the order in which they were asked for. */
  readonly asked: Digest[] = [];

  constructor(image: TestImage | TestList, location?: Location) {
    this.#top = image.manifest;
    if (location !== undefined) this.location = location;
    for (const { digest, manifest, blobs } of imagesOf(image)) {
      this.manifests.set(digest, manifest);
      for (const [name, bytes] of blobs) this.blobs.set(name, bytes);
    }
  }

  async getManifest(instance: Digest | undefined) {
    const manifest = instance === undefined ? this.#top : this.manifests.get(instance);
    if (manifest === undefined)
      throw new CopyError("source_not_found", `no manifest ${instance}`, { side: "source" });
    return manifest;
  }

  async getBlob(info: NamedBlob) {
    this.asked.push(info.digest);
    const bytes = this.blobs.get(info.digest);
    if (bytes === undefined) throw new Error(`no blob ${info.digest}`);
    return { content: fromBuffer(bytes), info };
  }

  async getSignatures() {
    return this.signatures;
  }

  async getReferrers(digest: Digest): Promise<readonly Referrer[]> {
    return this.referrers.get(digest) ?? [];
  }

  async [Symbol.asyncDispose]() {}
}

export const ANY: DestinationTraits = {
  manifestTypes: [],
  layers: "preserve",
  keepsForeignLayers: true,
  concurrentBlobs: true,
  signatures: true,
  referrers: false,
  checksManifests: false,
};

export class MemoryDestination implements Destination {
  readonly name = "memory:destination";
  readonly traits: DestinationTraits;
  readonly digest?: Digest;
  readonly location?: Location;
  readonly dockerReference?: DockerReference;
  readonly blobs = new Map<Digest, Buffer>();
  readonly manifests = new Map<Digest | "top", RawManifest>();
  readonly signatures = new Map<Digest | "top", readonly Signature[]>();
  /** What was written, in order. */
  readonly log: string[] = [];
  /** Blobs that can be mounted, from wherever. */
  readonly mountable = new Set<Digest>();
  /** Manifest types that it refuses, though it lists them. */
  readonly refused = new Set<string>();
  /** The most blobs that were being stored at once. */
  peak = 0;
  #storing = 0;
  /** Runs while a blob is being stored, before its bytes are. */
  whileStoring: (digest: Digest | undefined, signal: AbortSignal) => Promise<void> = async () => {};

  constructor(
    options: {
      traits?: Partial<DestinationTraits>;
      digest?: Digest;
      location?: Location;
      dockerReference?: DockerReference;
    } = {},
  ) {
    this.traits = { ...ANY, ...options.traits };
    if (options.digest !== undefined) this.digest = options.digest;
    if (options.location !== undefined) this.location = options.location;
    if (options.dockerReference !== undefined) this.dockerReference = options.dockerReference;
  }

  async findManifest(instance: Digest | undefined) {
    const manifest = this.manifests.get(instance ?? "top");
    return manifest && { digest: manifestDigest(manifest), mediaType: manifest.mediaType };
  }

  async findBlob(blob: NamedBlob): Promise<Descriptor | undefined> {
    const bytes = this.blobs.get(blob.digest);
    return bytes && { ...blob, size: bytes.length };
  }

  async mountBlob({ digest }: Descriptor) {
    if (!this.mountable.has(digest)) return false;
    this.log.push(`mount ${digest}`);
    return true;
  }

  async putBlob({ content, info }: Parameters<Destination["putBlob"]>[0], signal: AbortSignal) {
    this.peak = Math.max(this.peak, ++this.#storing);
    try {
      await this.whileStoring(info.digest, signal);
      const bytes = await collect(content, signal);
      const digest = digestOf(bytes);
      this.blobs.set(digest, bytes);
      this.log.push(`blob ${digest}`);
      return { mediaType: info.mediaType, digest, size: bytes.length };
    } finally {
      this.#storing--;
    }
  }

  async putManifest(manifest: RawManifest, instance: Digest | undefined) {
    if (this.refused.has(manifest.mediaType))
      throw new CopyError("manifest_rejected", `no ${manifest.mediaType} here`, {
        side: "destination",
        upstream: { status: 400, code: "MANIFEST_INVALID" },
      });
    this.manifests.set(instance ?? "top", manifest);
    this.log.push(`manifest ${instance ?? "top"}`);
  }

  async putSignatures(signatures: readonly Signature[], instance: Digest | undefined) {
    this.signatures.set(instance ?? "top", signatures);
    this.log.push(`signatures ${instance ?? "top"}`);
  }

  async putReferrer(manifest: RawManifest, { digest, tag }: Referrer, subject: Digest) {
    this.manifests.set(digest, manifest);
    this.log.push(`referrer ${digest} of ${subject}${tag === undefined ? "" : ` as ${tag}`}`);
  }

  async commit() {
    this.log.push("commit");
  }

  async [Symbol.asyncDispose]() {}
}
