import type { Location } from "../../copy/blob-info-cache.ts";
import type {
  BlobStream,
  Certainty,
  Destination,
  DestinationTraits,
  FoundManifest,
  Referrer,
  Signature,
} from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { Descriptor, NamedBlob } from "../../image/blob-info.ts";
import { algorithmOf, parseDigest, type Digest } from "../../image/digest.ts";
import { manifestDigest, mayBeCalled, type RawManifest } from "../../image/manifest/manifest.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../image/media-types.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerReference } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";
import { headerOf, type Reply } from "./answer.ts";
import { withCredentials } from "./auth/credentials.ts";
import { Emptiness } from "./emptiness.ts";
import { isUnknown, mayBeTagged } from "./failure-class.ts";
import { RegistryClient, type Outgoing } from "./http.ts";
import { findManifest } from "./manifest-lookup.ts";
import { accessByName } from "./mirrors.ts";
import { ReferrerWriter } from "./referrer-writer.ts";
import { Uploads, waysIn } from "./upload/uploads.ts";

/** Semantics 7.0, row `docker`. */
const TRAITS: DestinationTraits = {
  manifestTypes: [OCI_MANIFEST, SCHEMA2, OCI_INDEX, DOCKER_LIST, SCHEMA1_SIGNED, SCHEMA1],
  layers: "compress",
  keepsForeignLayers: true,
  concurrentBlobs: true,
  signatures: false,
  referrers: true,
  checksManifests: true,
};

/** A place for an image in a registry. Opening it asks nothing of the registry. */
export async function openDockerDestination(
  reference: DockerReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Destination> {
  signal.throwIfAborted();
  return new DockerDestination(
    reference,
    await withCredentials(accessByName(access, reference), reference),
  );
}

class DockerDestination implements Destination {
  readonly name: string;
  readonly traits = TRAITS;
  readonly digest?: Digest;
  readonly dockerReference: DockerReference;
  readonly location: Location;
  readonly #reference: DockerReference;
  readonly #client: RegistryClient;
  readonly #uploads: Uploads;
  readonly #referrers: ReferrerWriter;
  readonly #emptiness: Emptiness;

  constructor(reference: DockerReference, access: AccessContext) {
    this.name = formatReference(reference);
    if (reference.digest !== undefined) this.digest = reference.digest;
    this.dockerReference = reference;
    this.location = { registry: reference.registry, repository: reference.repository };
    this.#reference = reference;
    this.#client = new RegistryClient(reference.registry, access);
    this.#uploads = new Uploads(
      this.#client,
      reference.repository,
      waysIn(access, reference.registry),
    );
    const { filled } = access.registries;
    this.#emptiness = new Emptiness(this.#client, reference, this.#scopes, filled);
    this.#referrers = new ReferrerWriter({
      client: this.#client,
      repository: reference.repository,
      scopes: this.#scopes,
      uploads: this.#uploads,
      exclusive: access.exclusive,
      put: (manifest, ref, signal) => this.#put(manifest, ref, signal),
    });
  }

  async findManifest(
    instance: Digest | undefined,
    signal: AbortSignal,
    certainty: Certainty = "likely",
  ): Promise<FoundManifest | undefined> {
    const { repository } = this.#reference;
    const at = { client: this.#client, repository, scopes: this.#scopes };
    const lookup = { ...at, ref: instance ?? this.#ref };
    const found = await findManifest(lookup, certainty, signal);
    if (found !== undefined) this.#emptiness.disprove();
    return found;
  }

  isEmpty(signal: AbortSignal): Promise<boolean> {
    return this.#emptiness.isEmpty(signal);
  }

  async findBlob(blob: NamedBlob, signal: AbortSignal): Promise<Descriptor | undefined> {
    const out: Outgoing = {
      method: "HEAD",
      to: this.#path("blobs", blob.digest),
      scopes: this.#scopes,
      phase: "blob",
      digest: blob.digest,
    };
    const reply = await this.#client.send(out, signal);
    if (isUnknown(reply.status)) return undefined;
    if (reply.status !== 200) throw this.#client.refusal(reply, out);
    this.#emptiness.disprove();
    const length = headerOf(reply.headers, "content-length");
    const size = length === undefined ? blob.size : Number(length);
    // Something else under this digest would be found out by whoever pulls; better to send the blob anew.
    return size === undefined || (blob.size !== undefined && size !== blob.size)
      ? undefined
      : { ...blob, size };
  }

  mountBlob({ digest }: Descriptor, from: Location, signal: AbortSignal): Promise<boolean> {
    return this.#uploads.mount(digest, from.repository, signal);
  }

  approach(requests: number, signal: AbortSignal): void {
    this.#client.approach(requests, signal);
  }

  expectBlob(blob: NamedBlob, signal: AbortSignal): void {
    this.#uploads.expect(blob, signal);
  }

  putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    return this.#uploads.send(blob, signal);
  }

  async putManifest(
    manifest: RawManifest,
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#put(manifest, instance ?? this.#ref, signal);
    } catch (error) {
      if (instance !== undefined || !mayBeTagged(error)) throw error;
      const present = await this.findManifest(undefined, signal).catch(() => undefined);
      if (present?.digest !== manifestDigest(manifest)) throw error;
    }
  }

  async #put(manifest: RawManifest, ref: string, signal: AbortSignal): Promise<Reply> {
    const out: Outgoing = {
      method: "PUT",
      to: this.#path("manifests", ref),
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
      scopes: this.#scopes,
      phase: "manifest",
      digest: parseDigest(ref) ?? manifestDigest(manifest),
    };
    const reply = await this.#client.send(out, signal);
    if (reply.status < 200 || reply.status > 299) throw this.#client.refusal(reply, out);
    this.#emptiness.disprove();
    const stored = parseDigest(headerOf(reply.headers, "docker-content-digest"));
    if (stored !== undefined && !mayBeCalled(manifest, stored))
      throw new CopyError(
        "digest_mismatch",
        `the registry has stored ${stored}, but was sent ${manifestDigest(manifest, algorithmOf(stored))}`,
        this.#client.blame(out),
      );
    return reply;
  }

  async putSignatures(signatures: readonly Signature[]): Promise<void> {
    if (signatures.length > 0)
      throw new Error("this destination keeps no signatures, as its traits say");
  }

  putReferrer(
    manifest: RawManifest,
    referrer: Referrer,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#referrers.put(manifest, referrer, subject, signal);
  }

  listReferrers(signal: AbortSignal): Promise<void> {
    return this.#referrers.list(signal);
  }

  async commit(): Promise<void> {}

  /** Uploads that were begun, and that no blob has used, are given back. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#uploads[Symbol.asyncDispose]();
  }

  /** What the reference names: its tag, if it has one. */
  get #ref(): string {
    return this.#reference.tag ?? this.#reference.digest ?? "latest";
  }

  get #scopes(): readonly string[] {
    return [`repository:${this.#reference.repository}:pull,push`];
  }

  #path(kind: "manifests" | "blobs", ref: string): string {
    return `/v2/${this.#reference.repository}/${kind}/${ref}`;
  }
}
