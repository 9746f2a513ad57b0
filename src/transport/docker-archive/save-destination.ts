// A destination that takes what `docker load` does: an archive is built aside, and published as a whole at the end.

import type { FileHandle } from "node:fs/promises";
import type {
  BlobStream,
  Destination,
  DestinationTraits,
  FoundManifest,
  Signature,
} from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { Descriptor, NamedBlob } from "../../image/blob-info.ts";
import type { Digest } from "../../image/digest.ts";
import type { RawManifest } from "../../image/manifest/manifest.ts";
import type { DockerReference } from "../../image/reference/docker.ts";
import { DockerArchiveWriter } from "./writer.ts";

/** Where the archive is built, and what becomes of it. */
export interface Place extends AsyncDisposable {
  /** What the reference names now; undefined: nothing. */
  findManifest(signal: AbortSignal): Promise<FoundManifest | undefined>;
  /** Throws what would stop the archive from being published. */
  check(): Promise<void>;
  /** An empty file; called once, and closed by the place. */
  open(): Promise<FileHandle>;
  /** The archive in the file is complete. */
  publish(signal: AbortSignal): Promise<void>;
}

export class SaveDestination implements Destination {
  readonly name: string;
  readonly traits: DestinationTraits;
  readonly dockerReference?: DockerReference;
  readonly #names: readonly DockerReference[];
  readonly #place: Place;
  #writer: Promise<DockerArchiveWriter> | undefined;
  #top: RawManifest | undefined;

  /** `names`: what the image is to be called. The place is disposed of with it. */
  constructor(
    { name, traits }: Pick<Destination, "name" | "traits">,
    names: readonly DockerReference[],
    place: Place,
  ) {
    this.name = name;
    this.traits = traits;
    this.#names = names;
    this.#place = place;
    if (names[0] !== undefined) this.dockerReference = names[0];
  }

  async findManifest(
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<FoundManifest | undefined> {
    return instance === undefined ? this.#place.findManifest(signal) : undefined;
  }

  /** Also where a copy that cannot be published ends, before it has moved anything. */
  async findBlob(blob: NamedBlob): Promise<Descriptor | undefined> {
    if (this.#writer === undefined) {
      await this.#place.check();
      return undefined;
    }
    const size = (await this.#writer).sizeOf(blob.digest);
    return size === undefined ? undefined : { ...blob, size };
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    this.#writer ??= this.#begin();
    return (await this.#writer).putBlob(blob, signal);
  }

  async putManifest(manifest: RawManifest, instance: Digest | undefined): Promise<void> {
    if (instance === undefined) this.#top = manifest;
    else
      throw new CopyError("lists_not_supported", "a docker archive takes no lists of images", {
        side: "destination",
        phase: "manifest",
      });
  }

  async putSignatures(signatures: readonly Signature[]): Promise<void> {
    if (signatures.length > 0) throw new Error("a docker archive has no place for signatures");
  }

  async putReferrer(): Promise<void> {
    throw new Error("this destination keeps no referrers, as its traits say");
  }

  async commit(signal: AbortSignal): Promise<void> {
    if (this.#top === undefined || this.#writer === undefined)
      throw new Error("commit without a manifest and its config");
    await (await this.#writer).finish(this.#top, this.#names);
    signal.throwIfAborted();
    await this.#place.publish(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.catch(() => {});
    await this.#place[Symbol.asyncDispose]();
  }

  async #begin(): Promise<DockerArchiveWriter> {
    await this.#place.check();
    return new DockerArchiveWriter(await this.#place.open());
  }
}
