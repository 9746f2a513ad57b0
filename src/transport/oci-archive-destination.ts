// An OCI layout in a tar file as destination (semantics 7.4): a layout is built in the service's own folder, packed at the end, and
// takes the place of the archive that is there.

import { rm } from "node:fs/promises";
import type {
  BlobStream,
  Destination,
  DestinationTraits,
  FoundManifest,
  Referrer,
  Signature,
} from "../copy/interfaces.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { formatReference } from "../image/reference.ts";
import type { OciArchiveReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { openRegular } from "./files.ts";
import { manifestThere } from "./manifest-there.ts";
import { NewFile } from "./new-file.ts";
import { openOciArchiveSource } from "./oci-archive-source.ts";
import { openOciDestination } from "./oci.ts";
import { makeOwnFolder, ownPath } from "./temporary.ts";
import { packFolder } from "./tar/pack.ts";

/** `path` is a real path; there may be nothing. Throws `path_denied`. */
export async function openOciArchiveDestination(
  reference: OciArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  await using _ = await openRegular(path, { side: "destination", phase: "commit" });
  const folder = await ownPath(access.dataDir);
  const { sharedBlobDir: _none, ...own } = access;
  const layout = await openOciDestination(
    { ...reference, transport: "oci", path: folder },
    folder,
    own,
    signal,
  );
  return new OciArchiveDestination(reference, path, access, { folder, layout });
}

class OciArchiveDestination implements Destination {
  readonly name: string;
  readonly traits: DestinationTraits;
  readonly #reference: OciArchiveReference;
  readonly #path: string;
  readonly #access: AccessContext;
  readonly #folder: string;
  readonly #layout: Destination;
  #made: Promise<void> | undefined;

  constructor(
    reference: OciArchiveReference,
    path: string,
    access: AccessContext,
    { folder, layout }: { readonly folder: string; readonly layout: Destination },
  ) {
    this.name = formatReference(reference);
    this.traits = layout.traits;
    this.#reference = reference;
    this.#path = path;
    this.#access = access;
    this.#folder = folder;
    this.#layout = layout;
  }

  /** The archive is replaced as a whole: what else is in it is of no use to the new image. */
  findManifest(
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<FoundManifest | undefined> {
    if (instance !== undefined) return this.#layout.findManifest(instance, signal);
    const open = () => openOciArchiveSource(this.#reference, this.#path, this.#access, signal);
    return manifestThere(open, signal);
  }

  findBlob(blob: NamedBlob, signal: AbortSignal): Promise<Descriptor | undefined> {
    return this.#layout.findBlob(blob, signal);
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    await this.#make();
    return this.#layout.putBlob(blob, signal);
  }

  async putManifest(
    manifest: RawManifest,
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#make();
    await this.#layout.putManifest(manifest, instance, signal);
  }

  putSignatures(
    signatures: readonly Signature[],
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#layout.putSignatures(signatures, instance, signal);
  }

  putReferrer(
    manifest: RawManifest,
    referrer: Referrer,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#layout.putReferrer(manifest, referrer, subject, signal);
  }

  async commit(signal: AbortSignal): Promise<void> {
    await this.#layout.commit(signal);
    await using file = await NewFile.create(this.#path);
    await packFolder(this.#folder, file.handle, secondsOf(this.#access), signal);
    await file.publish(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#layout[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #make(): Promise<void> {
    return (this.#made ??= makeOwnFolder(this.#access.dataDir));
  }
}

/** The same image makes the same archive: without a wish, all times are that of the epoch. */
const secondsOf = ({ destinationTimestamp }: AccessContext): number =>
  destinationTimestamp === undefined ? 0 : Math.round(Date.parse(destinationTimestamp) / 1000);
