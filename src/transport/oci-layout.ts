// The files of an OCI image layout, and the one place that changes them.

import { join } from "node:path";
import type { Bytes, Span } from "../bytes.ts";
import type { BlobStream, FoundManifest } from "../copy/interfaces.ts";
import { CopyError, type ErrorContext, type Side } from "../errors.ts";
import type { Descriptor, NamedBlob } from "../image/blob-info.ts";
import { algorithmOf, digestOf, hexOf, type Digest } from "../image/digest.ts";
import { guessMediaType, MANIFEST_LIMIT } from "../image/manifest/manifest.ts";
import { locate } from "../image/path.ts";
import type { AccessContext } from "./access.ts";
import { fromFile, readManifest, readSmall } from "./files.ts";
import { Folder } from "./folder.ts";
import {
  EMPTY_INDEX,
  formatIndex,
  parseIndex,
  type LayoutIndex,
  type Selected,
} from "./oci-index.ts";
import { confine } from "./paths.ts";
import { removeLeftovers, removePrepared, replaceFile, storeBlob } from "./store.ts";

/** Bytes of an index.json: room for 20,000 names. */
export const INDEX_LIMIT = 16 * 1024 * 1024;
/** Of an `oci-layout` file. */
const VERSION_LIMIT = 1024;
const LAYOUT_FILE = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** A layout as a source reads it. */
export interface LayoutReader {
  /** Undefined: there is none. Throws `manifest_invalid`. */
  readIndex(): Promise<LayoutIndex | undefined>;
  /** Undefined: there is none. Throws `digest_mismatch`. */
  readManifest(digest: Digest): Promise<Buffer | undefined>;
  /** A blob's bytes; pouring them throws `source_not_found` where they are missing. */
  openBlob(blob: NamedBlob): Promise<(span?: Span) => Bytes>;
}

/** The files of one layout, for one side of a copy. */
export class Layout implements LayoutReader {
  readonly folder: string;
  readonly #dataDir: string;
  readonly #side: Side;
  /** Has a folder for each digest algorithm; `sharedBlobDir` stands in for it (semantics 7.3). */
  readonly #blobs: string;
  /** Where blobs are written before they have their names: on one file system with them. */
  readonly #workshop: string;

  /** `folder`: a real path. Throws `path_denied` where `access.sharedBlobDir` leaves the data folder. */
  constructor(folder: string, access: AccessContext) {
    const { dataDir, side, sharedBlobDir } = access;
    this.folder = folder;
    this.#dataDir = dataDir;
    this.#side = side;
    const shared = sharedBlobDir === undefined ? undefined : locate(dataDir, sharedBlobDir, side);
    this.#blobs = shared ?? join(folder, "blobs");
    this.#workshop = shared ?? folder;
  }

  /** Throws what would stop a writer at its first blob, or after its last: `path_denied`, `manifest_invalid`. Writes nothing. */
  async checkWritable(): Promise<void> {
    await confine(this.#dataDir, join(this.#blobs, "sha256", "any"), this.#side);
    await this.#readVersion();
    await this.readIndex();
  }

  async readIndex(): Promise<LayoutIndex | undefined> {
    const context = { side: this.#side, phase: "manifest" } as const;
    const bytes = await readSmall(join(this.folder, "index.json"), INDEX_LIMIT, context);
    return bytes && indexIn(bytes, context);
  }

  async readManifest(digest: Digest): Promise<Buffer | undefined> {
    return readManifest(await this.pathOf(digest), digest, { side: this.#side, phase: "manifest" });
  }

  async openBlob(blob: NamedBlob): Promise<(span?: Span) => Bytes> {
    const path = await this.pathOf(blob.digest);
    return (span) => fromFile(path, blob, span);
  }

  /** Undefined where the manifest is missing or damaged: it is to be written again. */
  async findManifest({ digest, mediaType }: Selected): Promise<FoundManifest | undefined> {
    const bytes = await readSmall(await this.pathOf(digest), MANIFEST_LIMIT, {
      side: this.#side,
      phase: "manifest",
    });
    if (bytes === undefined || digestOf(bytes, algorithmOf(digest)) !== digest) return undefined;
    return { digest, mediaType: mediaType ?? guessMediaType(bytes) };
  }

  /** Stores a blob durably, whole or not at all. Throws `size_mismatch`. */
  async store(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    return storeBlob(this.#workshop, blob, (digest) => this.pathOf(digest), signal);
  }

  /** Where a blob is. Throws `path_denied` if a link on the way leads out of the data folder. */
  async pathOf(digest: Digest): Promise<string> {
    const folder = await confine(this.#dataDir, join(this.#blobs, algorithmOf(digest)), this.#side);
    return join(folder, hexOf(digest));
  }

  /**
   * Changes index.json, by reading, changing and replacing it. The caller holds the layout's lock, so that writers of different names
   * lose nothing; `signal` aborts if the lock is lost, and what a former holder has not put in place yet it never will.
   */
  async publish(
    change: (index: LayoutIndex) => Promise<LayoutIndex>,
    signal: AbortSignal,
  ): Promise<void> {
    const file = join(this.folder, "index.json");
    if ((await this.#readVersion())?.equals(LAYOUT_FILE) !== true)
      await replaceFile(this.#version, LAYOUT_FILE, signal);
    await removePrepared(file);
    const changed = await change((await this.readIndex()) ?? EMPTY_INDEX);
    await replaceFile(file, formatIndex(changed), signal);
    for (const path of new Set([this.folder, this.#workshop])) {
      await using folder = await Folder.make(path);
      await removeLeftovers(folder);
    }
  }

  get #version(): string {
    return join(this.folder, "oci-layout");
  }

  async #readVersion(): Promise<Buffer | undefined> {
    return readSmall(this.#version, VERSION_LIMIT, { side: this.#side, phase: "manifest" });
  }
}

/** The index in the bytes of an index.json. Throws `manifest_invalid`. */
export function indexIn(bytes: Buffer, context: ErrorContext): LayoutIndex {
  try {
    return parseIndex(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CopyError(
      "manifest_invalid",
      `the layout's \`index.json\` is not valid: ${why}`,
      context,
      error,
    );
  }
}
