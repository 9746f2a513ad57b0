// `docker save`'s archives as destination (semantics 7.6). The file appears as a whole, and replaces nothing.

import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { Destination, DestinationTraits, FoundManifest } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import { SCHEMA2 } from "../../image/media-types.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerArchiveReference } from "../../image/reference/docker-save.ts";
import { parseDockerReference } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";
import { openRegular } from "../files.ts";
import { manifestThere } from "../manifest-there.ts";
import { NewFile } from "../new-file.ts";
import { sameContent } from "../same-content.ts";
import { SaveDestination, type Place } from "./save-destination.ts";
import { openDockerArchiveSource } from "./source.ts";

/** Semantics 7.0, row `docker-archive`. */
const TRAITS: DestinationTraits = {
  manifestTypes: [SCHEMA2],
  layers: "decompress",
  keepsForeignLayers: false,
  concurrentBlobs: false,
  signatures: false,
  referrers: false,
  checksManifests: false,
};

/** `path` is a real path; there may be nothing. That something is in the way is told when a blob is looked for. */
export function openDockerArchiveDestination(
  reference: DockerArchiveReference,
  path: string,
  access: AccessContext,
): Destination {
  const { name } = reference;
  const more = (access.additionalTags ?? []).map((tag) => parseDockerReference(tag, tag));
  return new SaveDestination(
    { name: formatReference(reference), traits: TRAITS },
    name === undefined ? more : [name, ...more],
    new ArchivePlace(reference, path, access),
  );
}

class ArchivePlace implements Place {
  readonly #reference: DockerArchiveReference;
  readonly #path: string;
  readonly #access: AccessContext;
  #file: NewFile | undefined;

  constructor(reference: DockerArchiveReference, path: string, access: AccessContext) {
    this.#reference = reference;
    this.#path = path;
    this.#access = access;
  }

  findManifest(signal: AbortSignal): Promise<FoundManifest | undefined> {
    const open = () => openDockerArchiveSource(this.#reference, this.#path, this.#access, signal);
    return manifestThere(open, signal);
  }

  /** Images are not added to an archive, as containers/image has it; an empty file stands for none. */
  async check(): Promise<void> {
    if (this.#access.resumed !== true && (await this.#isTaken())) throw this.#inTheWay();
  }

  async open(): Promise<FileHandle> {
    this.#file = await NewFile.create(this.#path);
    return this.#file.handle;
  }

  async publish(signal: AbortSignal): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error("publish before open");
    await this.#access.exclusive(`archive:${this.#path}`).run(async (held) => {
      if (!(await this.#isTaken())) return file.publish(held);
      // An earlier attempt may have died after its last write.
      if (!(await sameContent(file.temporary, this.#path, AT, held))) throw this.#inTheWay();
    }, signal);
  }

  async #isTaken(): Promise<boolean> {
    await using there = await openRegular(this.#path, AT);
    return there !== undefined && there.size > 0;
  }

  #inTheWay(): CopyError {
    return new CopyError(
      "path_denied",
      `\`${basename(this.#path)}\` exists, and images are not added to a docker archive: choose another path, or remove the file`,
      AT,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.[Symbol.asyncDispose]();
  }
}

const AT = { side: "destination", phase: "commit" } as const;
