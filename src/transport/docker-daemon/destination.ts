// A docker engine as destination (semantics 7.7): it gets a whole archive at the end, or nothing.

import type { FileHandle } from "node:fs/promises";
import type { Destination, DestinationTraits, FoundManifest } from "../../copy/interfaces.ts";
import { SCHEMA2 } from "../../image/media-types.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerDaemonReference } from "../../image/reference/docker-save.ts";
import type { AccessContext } from "../access.ts";
import { openNameless } from "../archive-file.ts";
import { SaveDestination, type Place } from "../docker-archive/save-destination.ts";
import { disk } from "../store.ts";
import { manifestThere } from "../manifest-there.ts";
import { openDockerDaemonSource } from "./source.ts";

/** Semantics 7.0, row `docker-daemon`: the engine unpacks layers itself. */
const TRAITS: DestinationTraits = {
  manifestTypes: [SCHEMA2],
  layers: "preserve",
  keepsForeignLayers: false,
  concurrentBlobs: false,
  signatures: false,
  referrers: false,
  checksManifests: false,
};

export function openDockerDaemonDestination(
  reference: DockerDaemonReference,
  access: AccessContext,
): Destination {
  const { name } = reference;
  return new SaveDestination(
    { name: formatReference(reference), traits: TRAITS },
    name === undefined ? [] : [name],
    new EnginePlace(reference, access),
  );
}

class EnginePlace implements Place {
  readonly #reference: DockerDaemonReference;
  readonly #access: AccessContext;
  #file: FileHandle | undefined;

  constructor(reference: DockerDaemonReference, access: AccessContext) {
    this.#reference = reference;
    this.#access = access;
  }

  findManifest(signal: AbortSignal): Promise<FoundManifest | undefined> {
    return manifestThere(
      () => openDockerDaemonSource(this.#reference, this.#access, signal),
      signal,
    );
  }

  /** The engine takes any image under any name. */
  async check(): Promise<void> {}

  async open(): Promise<FileHandle> {
    return (this.#file = await openNameless(this.#access.dataDir));
  }

  async publish(signal: AbortSignal): Promise<void> {
    const handle = this.#file;
    if (handle === undefined) throw new Error("publish before open");
    const { size } = await disk(handle.stat());
    await this.#access.engine.load({ handle, size, [Symbol.asyncDispose]: async () => {} }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}
