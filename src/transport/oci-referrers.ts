// Referrers in an OCI layout. As oras keeps them: index.json lists them without a name, and each says itself what it refers to. What has a
// tag of its own in a registry has it as its name. regclient's way is read as well: an index that is named by the fallback tag.

import { fromBuffer } from "../bytes.ts";
import type { Referrer } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { parseList } from "../image/manifest/list.ts";
import { guessMediaType, manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { parseReferring } from "../image/manifest/referrer.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../image/media-types.ts";
import { mergeAttachments, type AttachmentStore } from "./attachments.ts";
import { entriesOf, entryNamed, replaceEntry, type LayoutIndex } from "./oci-index.ts";
import type { Layout } from "./oci-layout.ts";
import { cosignTags, fallbackTag } from "./referrer-tags.ts";

/** Bytes of manifests that are read to learn what refers to what. */
const SCAN_LIMIT = 64 * 1024 * 1024;

export class LayoutReferrers {
  readonly #layout: Pick<Layout, "readManifest">;
  readonly #index: LayoutIndex;
  #bySubject: Promise<ReadonlyMap<Digest, readonly Referrer[]>> | undefined;

  constructor(layout: Pick<Layout, "readManifest">, index: LayoutIndex) {
    this.#layout = layout;
    this.#index = index;
  }

  /** Throws `manifest_invalid`, `digest_mismatch` where the layout is damaged. */
  async of(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]> {
    this.#bySubject ??= this.#scan(signal);
    const found = new Map<string, Referrer>();
    for (const one of (await this.#bySubject).get(subject) ?? []) found.set(one.digest, one);
    const fallback = await this.#getNamed(fallbackTag(subject));
    if (fallback?.mediaType === OCI_INDEX)
      for (const one of parseList(fallback).instances) found.set(one.digest, one);
    for (const tag of cosignTags(subject)) {
      const manifest = await this.#getNamed(tag);
      if (manifest === undefined) continue;
      const { mediaType, bytes } = manifest;
      found.set(tag, { mediaType, digest: manifestDigest(manifest), size: bytes.length, tag });
    }
    return [...found.values()];
  }

  async #getNamed(name: string): Promise<RawManifest | undefined> {
    const named = entryNamed(this.#index, name);
    const bytes = named && (await this.#layout.readManifest(named.digest));
    return bytes && { bytes, mediaType: named.mediaType ?? guessMediaType(bytes) };
  }

  async #scan(signal: AbortSignal): Promise<ReadonlyMap<Digest, readonly Referrer[]>> {
    const bySubject = new Map<Digest, Referrer[]>();
    let read = 0;
    for (const { digest, mediaType } of entriesOf(this.#index)) {
      signal.throwIfAborted();
      if (mediaType !== OCI_MANIFEST && mediaType !== OCI_INDEX) continue;
      const bytes = await this.#layout.readManifest(digest);
      if (bytes === undefined) continue;
      read += bytes.length;
      if (read > SCAN_LIMIT)
        throw new CopyError(
          "manifest_invalid",
          `the layout's manifests have more than ${SCAN_LIMIT} bytes, too many to look for referrers among them`,
          { side: "source", phase: "manifest" },
        );
      const { subject, descriptor } = parseReferring({ bytes, mediaType }, digest);
      if (subject !== undefined) bySubject.getOrInsertComputed(subject, () => []).push(descriptor);
    }
    return bySubject;
  }
}

/** A referrer whose manifest the layout has. */
export interface PlacedReferrer {
  readonly descriptor: Descriptor & { readonly artifactType?: string };
  readonly tag?: string;
}

/** The index with referrers added: what it has already is not listed twice, and what a tag names takes up what is to have it, too. */
export async function addReferrers(
  layout: Layout,
  index: LayoutIndex,
  referrers: readonly PlacedReferrer[],
  signal: AbortSignal,
): Promise<LayoutIndex> {
  const there = new Set(index.entries.map((entry) => entry["digest"]));
  const listed = referrers.flatMap(({ descriptor, tag }) => {
    if (tag !== undefined || there.has(descriptor.digest)) return [];
    // No annotations: among them could be the name of an image.
    const { mediaType, digest, size, artifactType } = descriptor;
    return [{ mediaType, digest, size, ...(artifactType !== undefined && { artifactType }) }];
  });
  let next: LayoutIndex = { ...index, entries: [...index.entries, ...listed] };
  for (const { descriptor, tag } of referrers)
    if (tag !== undefined) next = await addTagged(layout, next, descriptor, tag, signal);
  return next;
}

async function addTagged(
  layout: Layout,
  index: LayoutIndex,
  { digest, mediaType, size }: Descriptor,
  tag: string,
  signal: AbortSignal,
): Promise<LayoutIndex> {
  const named = entryNamed(index, tag);
  const present = named && (await layout.readManifest(named.digest));
  const added = await layout.readManifest(digest);
  if (present === undefined || added === undefined)
    return replaceEntry(index, { digest, mediaType, size }, tag);
  const merged = await mergeAttachments(
    { bytes: present, mediaType: named?.mediaType ?? guessMediaType(present) },
    { bytes: added, mediaType },
    tag,
    storeOf(layout),
    signal,
  );
  if (merged === undefined) return index;
  const info = {
    mediaType: merged.mediaType,
    digest: manifestDigest(merged),
    size: merged.bytes.length,
  };
  await layout.store({ content: fromBuffer(merged.bytes), info }, signal);
  return replaceEntry(index, info, tag);
}

const storeOf = (layout: Layout): AttachmentStore => ({
  getConfig: async (digest) => {
    const bytes = await layout.readManifest(digest);
    if (bytes !== undefined) return bytes;
    throw new CopyError("source_not_found", `the layout lacks the config ${digest}`, {
      side: "destination",
      phase: "manifest",
      digest,
    });
  },
  putConfig: (config, signal) => layout.store(config, signal),
});
