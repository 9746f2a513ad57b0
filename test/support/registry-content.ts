// What the test registry holds, and the rules by which it takes things (OCI distribution-spec, "Push").

import { algorithmOf, digestOf, parseDigest, type Digest } from "../../src/image/digest.ts";
import { manifestDigest, type RawManifest } from "../../src/image/manifest/manifest.ts";
import { isList, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { isTag } from "../../src/image/reference/docker.ts";
import type { TestImage, TestList } from "./images.ts";

/** A refusal: becomes the status and the spec's JSON error. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(
    status: number,
    code: string,
    message: string = code.toLowerCase().replaceAll("_", " "),
  ) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface StoredManifest extends RawManifest {
  readonly digest: Digest;
}

interface Repository {
  readonly blobs: Set<Digest>;
  readonly manifests: Map<Digest, StoredManifest>;
  readonly tags: Map<string, Digest>;
}

interface Entry {
  readonly digest?: unknown;
  readonly size?: unknown;
  readonly urls?: unknown;
}

/** Repositories over one pool of blobs, all in memory. */
export class Content {
  readonly #blobs = new Map<Digest, Buffer>();
  readonly #repositories = new Map<string, Repository>();

  /** The bytes, if the repository has the blob. */
  blob(repository: string, digest: string): Buffer | undefined {
    const known = this.#repositories.get(repository)?.blobs.has(digest as Digest);
    return known ? this.#blobs.get(digest as Digest) : undefined;
  }

  /** Takes a blob whose digest was checked already. */
  addBlob(repository: string, digest: Digest, bytes: Buffer): void {
    this.#blobs.set(digest, bytes);
    this.#repository(repository).blobs.add(digest);
  }

  /** A repository without anything in it. */
  makeRepository(name: string): void {
    this.#repository(name);
  }

  mount(from: string, to: string, digest: string): boolean {
    if (this.blob(from, digest) === undefined) return false;
    this.#repository(to).blobs.add(digest as Digest);
    return true;
  }

  deleteBlob(repository: string, digest: string): boolean {
    return this.#repositories.get(repository)?.blobs.delete(digest as Digest) ?? false;
  }

  /** The manifest of a tag or digest. */
  manifest(repository: string, ref: string): StoredManifest | undefined {
    const found = this.#repositories.get(repository);
    return found?.manifests.get(found.tags.get(ref) ?? (ref as Digest));
  }

  /** All of them; undefined: there is no such repository. */
  manifests(repository: string): readonly StoredManifest[] | undefined {
    const found = this.#repositories.get(repository);
    return found && [...found.manifests.values()];
  }

  /** Takes a manifest only if it is what its digest says, and all that it names is here. */
  putManifest(repository: string, ref: string, { bytes, mediaType }: RawManifest): Digest {
    const byDigest = ref.includes(":") ? parseDigest(ref) : undefined;
    if (byDigest === undefined && !isTag(ref)) throw new Refusal(400, "TAG_INVALID");
    const algorithm = byDigest === undefined ? "sha256" : algorithmOf(byDigest);
    const digest = manifestDigest({ bytes, mediaType }, algorithm);
    if (byDigest !== undefined && byDigest !== digest) throw new Refusal(400, "DIGEST_INVALID");
    this.#checkManifest(repository, { bytes, mediaType });
    this.place(repository, ref, { bytes, mediaType, digest });
    return digest;
  }

  /** Holds a manifest, whatever it is and whatever is missing, as registries do that have lost things or are older than the rules. */
  place(repository: string, ref: string, manifest: StoredManifest): void {
    const { manifests, tags } = this.#repository(repository);
    manifests.set(manifest.digest, manifest);
    if (!ref.includes(":")) tags.set(ref, manifest.digest);
  }

  /** Takes whatever it is given, under any name: what a registry does that lies. */
  forgeManifest(repository: string, ref: string, { bytes, mediaType }: RawManifest): void {
    const { manifests, tags } = this.#repository(repository);
    const digest = ref.includes(":") ? (ref as Digest) : digestOf(bytes);
    manifests.set(digest, { bytes, mediaType, digest });
    if (!ref.includes(":")) tags.set(ref, digest);
  }

  /** A tag goes alone, a digest with all its tags. */
  deleteManifest(repository: string, ref: string): boolean {
    const found = this.#repositories.get(repository);
    if (found === undefined) return false;
    if (!ref.includes(":")) return found.tags.delete(ref);
    for (const [tag, digest] of found.tags) if (digest === ref) found.tags.delete(tag);
    return found.manifests.delete(ref as Digest);
  }

  /** In the order of the spec; undefined: there is no such repository. */
  tags(repository: string): readonly string[] | undefined {
    const found = this.#repositories.get(repository);
    return found && [...found.tags.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  }

  putImage(repository: string, ref: string, image: TestImage | TestList): void {
    if ("images" in image) {
      for (const child of image.images) this.putImage(repository, child.digest, child);
    } else {
      for (const [digest, bytes] of image.blobs) this.addBlob(repository, digest, bytes);
    }
    this.putManifest(repository, ref, image.manifest);
  }

  #repository(name: string): Repository {
    const found = this.#repositories.get(name);
    if (found !== undefined) return found;
    const created: Repository = { blobs: new Set(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, created);
    return created;
  }

  #checkManifest(repository: string, { bytes, mediaType }: RawManifest): void {
    const document = parseDocument(bytes);
    if (document.mediaType !== undefined && document.mediaType !== mediaType)
      throw new Refusal(
        400,
        "MANIFEST_INVALID",
        "the content type is not the manifest's own mediaType",
      );
    const children = isList(mediaType);
    const entries = children ? document.manifests : [document.config, ...(document.layers ?? [])];
    for (const { blobSum } of document.fsLayers ?? [])
      if (this.blob(repository, blobSum) === undefined)
        throw new Refusal(404, "MANIFEST_BLOB_UNKNOWN", `${blobSum} is missing`);
    if (!Array.isArray(entries)) throw new Refusal(400, "MANIFEST_INVALID");
    for (const entry of entries as readonly (Entry | undefined)[]) {
      if (entry === undefined || entry.urls !== undefined) continue;
      const digest = String(entry.digest);
      const there = children
        ? this.manifest(repository, digest)?.bytes
        : this.blob(repository, digest);
      if (there === undefined)
        throw new Refusal(404, "MANIFEST_BLOB_UNKNOWN", `${digest} is missing`);
      if (there.length !== entry.size)
        throw new Refusal(400, "MANIFEST_INVALID", `${digest} has another size`);
    }
  }
}

interface Document {
  readonly mediaType?: unknown;
  readonly manifests?: readonly Entry[];
  readonly config?: Entry;
  readonly layers?: readonly Entry[];
  /** Of docker schema 1. */
  readonly fsLayers?: readonly { readonly blobSum: string }[];
}

export function parseDocument(bytes: Buffer): Document {
  try {
    return JSON.parse(bytes.toString()) as Document;
  } catch {
    throw new Refusal(400, "MANIFEST_INVALID", "it is not JSON");
  }
}

/** What a registry says that does not say what is missing, or not in the spec's words. */
export function disguised(
  refusal: Refusal,
  method: string | undefined,
  quirks: ReadonlySet<string>,
): Refusal {
  // An address that is none at all is not hidden.
  if (refusal.status !== 404 || refusal.code === "NOT_FOUND") return refusal;
  const isRead = method === "GET" || method === "HEAD";
  if (isRead && quirks.has("hides-missing")) return new Refusal(403, "DENIED", "access denied");
  return quirks.has("unknown-for-missing") ? new Refusal(404, "UNKNOWN", "not found") : refusal;
}

/** Throws where a type is not known, or where an OCI manifest does not say its own type, and must. */
export function checkType({ bytes, mediaType }: RawManifest, quirks: ReadonlySet<string>): void {
  if (mediaType.includes(".oci.") && quirks.has("no-oci"))
    throw new Refusal(415, "MANIFEST_INVALID", "manifest type is not supported");
  const isSilent =
    mediaType === OCI_MANIFEST &&
    !bytes.includes('"mediaType":"application/vnd.oci.image.manifest');
  if (isSilent && quirks.has("wants-media-type"))
    throw new Refusal(405, "UNSUPPORTED", "Invalid parameter: Invalid JSON syntax");
}
