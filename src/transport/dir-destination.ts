// containers/image's `dir:` folders as destination (semantics 7.5). A copy is built in a folder beside the target and takes its place at
// the end: until then, and if the copy fails, the old image is there (reliability R13).

import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type {
  BlobStream,
  Destination,
  DestinationTraits,
  FoundManifest,
  Signature,
} from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import { algorithmOf, type Digest } from "../image/digest.ts";
import {
  guessMediaType,
  MANIFEST_LIMIT,
  manifestDigest,
  type RawManifest,
} from "../image/manifest/manifest.ts";
import { formatReference } from "../image/reference.ts";
import type { DirReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { fileOf, manifestFile, parseVersion, signatureFile } from "./dir-names.ts";
import { openRegular, readSmall, sized } from "./files.ts";
import { errnoOf } from "./paths.ts";
import { Folder } from "./folder.ts";
import { disk, removeLeftovers, replaceFile, storeBlob, temporaryName } from "./store.ts";

/** Semantics 7.0, row `dir`. */
const traitsFor = (access: AccessContext): DestinationTraits => ({
  manifestTypes: [],
  layers:
    access.dirForceCompress === true
      ? "compress"
      : access.dirForceDecompress === true
        ? "decompress"
        : "preserve",
  keepsForeignLayers: false,
  concurrentBlobs: true,
  signatures: true,
  referrers: false,
  checksManifests: false,
});

/** `folder` is a real path; it may be missing, empty, or hold an image that is to be replaced. Throws `path_denied`. */
export async function openDirDestination(
  reference: DirReference,
  folder: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  await checkReplaceable(folder);
  signal.throwIfAborted();
  return new DirDestination(formatReference(reference), folder, access);
}

/** Throws `path_denied` for a folder whose replacement would destroy something else than an image. True: something is there. */
async function checkReplaceable(folder: string): Promise<boolean> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.length === 0) return true;
    const version = await readSmall(join(folder, "version"), 1024, { side: "destination" });
    if (
      version !== undefined &&
      parseVersion(version) !== undefined &&
      !entries.some((entry) => entry.isDirectory())
    )
      return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT") return false;
    if (code !== "ENOTDIR") throw error;
  }
  throw new CopyError(
    "path_denied",
    `\`${basename(folder)}\` holds something else than a \`dir:\` image, which would be lost; choose an empty or a new folder`,
    { side: "destination" },
  );
}

class DirDestination implements Destination {
  readonly name: string;
  readonly traits: DestinationTraits;
  readonly #folder: string;
  readonly #exclusive: AccessContext["exclusive"];
  /** Where the copy is built; absent before the first put, and when it has taken its place. */
  #staging: Promise<string> | undefined;
  #version = "1.1";

  constructor(name: string, folder: string, access: AccessContext) {
    this.name = name;
    this.traits = traitsFor(access);
    this.#folder = folder;
    this.#exclusive = access.exclusive;
  }

  /** The folder is replaced as a whole: its old instances and blobs are of no use to the new image. */
  async findManifest(instance: Digest | undefined): Promise<FoundManifest | undefined> {
    if (instance !== undefined) return undefined;
    const bytes = await readSmall(join(this.#folder, manifestFile(undefined)), MANIFEST_LIMIT, {
      side: "destination",
      phase: "manifest",
    });
    if (bytes === undefined) return undefined;
    const mediaType = guessMediaType(bytes);
    return { digest: manifestDigest({ bytes, mediaType }), mediaType };
  }

  async findBlob(blob: NamedBlob): Promise<Descriptor | undefined> {
    if (this.#staging === undefined) return undefined;
    await using file = await openRegular(join(await this.#staging, fileOf(blob.digest)), {
      side: "destination",
      phase: "blob",
      digest: blob.digest,
    });
    return sized(blob, file?.size);
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    const staging = await this.#stage();
    return storeBlob(staging, blob, async (digest) => join(staging, this.#named(digest)), signal);
  }

  async putManifest(
    manifest: RawManifest,
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (instance !== undefined) this.#named(instance);
    await replaceFile(join(await this.#stage(), manifestFile(instance)), manifest.bytes, signal);
  }

  async putSignatures(
    signatures: readonly Signature[],
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const staging = await this.#stage();
    for (const [i, { bytes }] of signatures.entries())
      await replaceFile(join(staging, signatureFile(instance, i + 1)), bytes, signal);
  }

  async putReferrer(): Promise<void> {
    throw new Error("this destination keeps no referrers, as its traits say");
  }

  async commit(signal: AbortSignal): Promise<void> {
    if (this.#staging === undefined) throw new Error("commit without a manifest");
    const staging = await this.#staging;
    await replaceFile(
      join(staging, "version"),
      Buffer.from(`Directory Transport Version: ${this.#version}\n`),
      signal,
    );
    await this.#exclusive(`dir:${this.#folder}`).run((held) => this.#swapIn(staging, held), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const staging = await this.#staging?.catch(() => undefined);
    if (staging === undefined) return;
    await using parent = await Folder.open(dirname(this.#folder)).catch(() => undefined);
    if (parent !== undefined)
      await rm(parent.at(basename(staging)), { recursive: true, force: true });
  }

  #stage(): Promise<string> {
    return (this.#staging ??= this.#makeStaging());
  }

  async #makeStaging(): Promise<string> {
    await using parent = await Folder.make(dirname(this.#folder));
    const name = temporaryName(this.#prefix);
    await disk(mkdir(parent.at(name), { mode: 0o755 }));
    return join(dirname(this.#folder), name);
  }

  #named(digest: Digest): string {
    if (algorithmOf(digest) !== "sha256") this.#version = "1.2";
    return fileOf(digest);
  }

  /** Of names of what is unfinished beside the folder. */
  get #prefix(): string {
    return `${basename(this.#folder).slice(0, 64)}.`;
  }

  /** Two renames, for there is no call that exchanges folders; between them the target is missing, for readers that do not lock. */
  async #swapIn(staging: string, signal: AbortSignal): Promise<void> {
    await using parent = await Folder.make(dirname(this.#folder));
    const target = parent.at(basename(this.#folder));
    const old = parent.at(temporaryName(this.#prefix));
    const replaces = await checkReplaceable(this.#folder);
    signal.throwIfAborted();
    if (replaces) await disk(rename(target, old));
    try {
      await disk(rename(parent.at(basename(staging)), target));
    } catch (error) {
      if (replaces) await rename(old, target);
      throw error;
    }
    this.#staging = undefined;
    await parent.sync();
    // The copy is complete; what cannot be removed of the old one is in nobody's way.
    await rm(old, { recursive: true, force: true }).catch(() => {});
    await removeLeftovers(parent, this.#prefix);
  }
}
