// An OCI layout in a tar file as source (semantics 7.4): read in place, nothing is unpacked.

import type { Bytes, Span } from "../bytes.ts";
import type { Source } from "../copy/interfaces.ts";
import { CopyError, type ErrorContext } from "../errors.ts";
import type { NamedBlob } from "../image/blob-info.ts";
import { algorithmOf, digestOf, hexOf, type Digest } from "../image/digest.ts";
import { MANIFEST_LIMIT } from "../image/manifest/manifest.ts";
import { formatReference } from "../image/reference.ts";
import type { OciArchiveReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { openArchive } from "./archive-file.ts";
import { fromRegion, within, readAt, type RegularFile } from "./files.ts";
import type { LayoutIndex } from "./oci-index.ts";
import { INDEX_LIMIT, indexIn, type LayoutReader } from "./oci-layout.ts";
import { layoutSource, listLayoutTags } from "./oci.ts";
import { readArchive, type TarArchive } from "./tar/archive.ts";

/** `path` is a real path. Throws `source_not_found`, `manifest_invalid`, `digest_mismatch`, `path_denied`. */
export async function openOciArchiveSource(
  reference: OciArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  await using opened = new AsyncDisposableStack();
  const layout = opened.use(await openLayout(reference, path, access, signal));
  const source = await layoutSource(reference, layout, access, signal);
  const owned = opened.move();
  return { ...source, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The names of the images. Throws as openOciArchiveSource. */
export async function listOciArchiveTags(
  reference: OciArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await using layout = await openLayout(reference, path, access, signal);
  return await listLayoutTags(reference, layout);
}

async function openLayout(
  reference: OciArchiveReference,
  path: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<ArchivedLayout> {
  await using opened = new AsyncDisposableStack();
  const context = { side: access.side, phase: "manifest" } as const;
  const file = await openArchive(formatReference(reference), path, access, signal);
  opened.use(file);
  // containers/image unpacks the archive: of two members of one name it sees the last.
  const archive = await readArchive(file, "last", context, signal);
  opened.move();
  return new ArchivedLayout(file, archive, context);
}

class ArchivedLayout implements LayoutReader, AsyncDisposable {
  readonly #file: RegularFile;
  readonly #archive: TarArchive;
  readonly #context: ErrorContext;

  constructor(file: RegularFile, archive: TarArchive, context: ErrorContext) {
    this.#file = file;
    this.#archive = archive;
    this.#context = context;
  }

  /** Closes the archive. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async readIndex(): Promise<LayoutIndex | undefined> {
    const bytes = await this.#small("index.json", INDEX_LIMIT);
    return bytes && indexIn(bytes, this.#context);
  }

  async readManifest(digest: Digest): Promise<Buffer | undefined> {
    const bytes = await this.#small(nameOf(digest), MANIFEST_LIMIT);
    if (bytes === undefined || digestOf(bytes, algorithmOf(digest)) === digest) return bytes;
    throw new CopyError("digest_mismatch", `the manifest ${digest} has other content`, {
      ...this.#context,
      digest,
    });
  }

  async openBlob({ digest, size }: NamedBlob): Promise<(span?: Span) => Bytes> {
    const at = { ...this.#context, phase: "blob", digest };
    return (span) => ({
      pour: async (sink, signal) => {
        const region = this.#archive.find(nameOf(digest));
        if (region === undefined)
          throw new CopyError("source_not_found", `the blob ${digest} is not in the archive`, at);
        if (size !== undefined && region.size !== size)
          throw new CopyError(
            "size_mismatch",
            `the blob ${digest} has ${region.size} bytes, its manifest says ${size}`,
            at,
          );
        await fromRegion(this.#file, within(region, span)).pour(sink, signal);
      },
    });
  }

  async #small(name: string, limit: number): Promise<Buffer | undefined> {
    const region = this.#archive.find(name);
    if (region === undefined) return undefined;
    if (region.size <= limit) return readAt(this.#file, region);
    throw new CopyError(
      "manifest_invalid",
      `\`${name}\` has ${region.size} bytes, more than ${limit}`,
      this.#context,
    );
  }
}

const nameOf = (digest: Digest): string => `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
