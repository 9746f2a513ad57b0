// OCI image layouts (OCI image-spec, image-layout.md; semantics 7.3) as source and destination. Blobs appear whole or not at all, and
// index.json, which names the images, changes last: a reader sees the old image or the new one (reliability R11 to R13).

import { fromBuffer } from "../bytes.ts";
import type {
  BlobStream,
  Destination,
  DestinationTraits,
  FoundManifest,
  Referrer,
  Signature,
  Source,
} from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { guessMediaType, manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { parseReferring } from "../image/manifest/referrer.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../image/media-types.ts";
import { formatReference } from "../image/reference.ts";
import type { OciArchiveReference, OciReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { openRegular, sized } from "./files.ts";
import { orForeign } from "./foreign.ts";
import { addEntry, entryNamed, namesIn, selectEntry, typeOf } from "./oci-index.ts";
import { Layout, type LayoutReader } from "./oci-layout.ts";
import { addReferrers, LayoutReferrers, type PlacedReferrer } from "./oci-referrers.ts";

/** Semantics 7.0, row `oci`. */
const traitsFor = (access: AccessContext): DestinationTraits => ({
  manifestTypes: [OCI_MANIFEST, OCI_INDEX],
  layers: access.acceptUncompressedLayers === true ? "preserve" : "compress",
  keepsForeignLayers: true,
  concurrentBlobs: true,
  signatures: false,
  referrers: true,
  checksManifests: false,
});

/** `folder` is the layout's real path. Throws `source_not_found`, `manifest_invalid`, `digest_mismatch`, `path_denied`. */
export async function openOciSource(
  reference: OciReference,
  folder: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  return layoutSource(reference, new Layout(folder, access), access, signal);
}

/** Reads of `layout` what the reference names; closing the source closes nothing. Throws as openOciSource. */
export async function layoutSource(
  reference: OciReference | OciArchiveReference,
  layout: LayoutReader,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  const name = formatReference(reference);
  const index = await layout.readIndex();
  if (index === undefined) throw notFound(name, "there is no OCI layout");
  const chosen =
    access.pinned === undefined
      ? selectEntry(index, reference)
      : { digest: access.pinned, mediaType: typeOf(index, access.pinned) };
  if ("reason" in chosen) throw notFound(name, chosen.reason);
  const read = async (digest: Digest, mediaType: string | undefined): Promise<RawManifest> => {
    const bytes = await layout.readManifest(digest);
    if (bytes === undefined) throw notFound(name, `the manifest ${digest} is not there`, digest);
    return { bytes, mediaType: mediaType ?? guessMediaType(bytes) };
  };
  signal.throwIfAborted();
  const top = await read(chosen.digest, chosen.mediaType);
  const referrers = new LayoutReferrers(layout, index);
  return {
    name,
    getManifest: async (instance) =>
      instance === undefined ? top : read(instance, typeOf(index, instance)),
    getBlob: async (blob) => orForeign(await layout.openBlob(blob), blob, access),
    getSignatures: async () => [],
    getReferrers: (digest, own) => referrers.of(digest, own),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The names of a layout's images, `@n` for those without one. Throws `source_not_found`, `manifest_invalid`, `path_denied`. */
export const listOciTags = (
  reference: OciReference,
  folder: string,
  access: AccessContext,
): Promise<readonly string[]> => listLayoutTags(reference, new Layout(folder, access));

/** As listOciTags. */
export async function listLayoutTags(
  reference: OciReference | OciArchiveReference,
  layout: LayoutReader,
): Promise<readonly string[]> {
  const index = await layout.readIndex();
  if (index === undefined) throw notFound(formatReference(reference), "there is no OCI layout");
  return namesIn(index);
}

/** `folder` is the layout's real path; it may be missing. Throws `manifest_invalid`, `path_denied`. */
export async function openOciDestination(
  reference: OciReference,
  folder: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  const layout = new Layout(folder, access);
  await layout.checkWritable();
  signal.throwIfAborted();
  return new OciDestination(reference, layout, access);
}

class OciDestination implements Destination {
  readonly name: string;
  readonly traits: DestinationTraits;
  readonly #reference: OciReference;
  readonly #layout: Layout;
  readonly #exclusive: AccessContext["exclusive"];
  #top: Descriptor | undefined;
  readonly #placed: PlacedReferrer[] = [];

  constructor(reference: OciReference, layout: Layout, access: AccessContext) {
    this.name = formatReference(reference);
    this.traits = traitsFor(access);
    this.#reference = reference;
    this.#layout = layout;
    this.#exclusive = access.exclusive;
  }

  async findManifest(instance: Digest | undefined): Promise<FoundManifest | undefined> {
    if (instance !== undefined)
      return this.#layout.findManifest({ digest: instance, mediaType: undefined });
    const index = await this.#layout.readIndex();
    const { name } = this.#reference;
    const named = index === undefined || name === undefined ? undefined : entryNamed(index, name);
    return named && this.#layout.findManifest(named);
  }

  /** A file of the right size is whole: it got its name after its last byte. */
  async findBlob(blob: NamedBlob): Promise<Descriptor | undefined> {
    await using file = await openRegular(await this.#layout.pathOf(blob.digest), {
      side: "destination",
      phase: "blob",
      digest: blob.digest,
    });
    return sized(blob, file?.size);
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    return this.#layout.store(blob, signal);
  }

  /** The manifest's bytes are a blob as any other; index.json names it when the copy is committed. */
  async putManifest(
    manifest: RawManifest,
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { bytes, mediaType } = manifest;
    const info = { mediaType, digest: instance ?? manifestDigest(manifest), size: bytes.length };
    const stored = await this.#layout.store({ content: fromBuffer(bytes), info }, signal);
    if (instance === undefined) this.#top = stored;
  }

  async putSignatures(signatures: readonly Signature[]): Promise<void> {
    if (signatures.length > 0) throw new Error("an OCI layout has no place for signatures");
  }

  async putReferrer(
    manifest: RawManifest,
    { digest, tag }: Referrer,
    _subject: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    await this.putManifest(manifest, digest, signal);
    const { descriptor } = parseReferring(manifest, digest);
    this.#placed.push({ descriptor, ...(tag !== undefined && { tag }) });
  }

  async commit(signal: AbortSignal): Promise<void> {
    const top = this.#top;
    const { name } = this.#reference;
    if (top === undefined) throw new Error("commit without a manifest");
    await this.#exclusive(`layout:${this.#layout.folder}`).run(
      (held) =>
        this.#layout.publish(
          (index) => addReferrers(this.#layout, addEntry(index, top, name), this.#placed, held),
          held,
        ),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const notFound = (name: string, why: string, digest?: Digest): CopyError =>
  new CopyError("source_not_found", `\`${name}\`: ${why}`, {
    side: "source",
    phase: "manifest",
    ...(digest !== undefined && { digest }),
  });
