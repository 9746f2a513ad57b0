import type { Bytes, Span } from "../../bytes.ts";
import type { BlobStream, Referrer, Source } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { PullSource } from "../../host/registries-conf.ts";
import type { NamedBlob } from "../../image/blob-info.ts";
import { algorithmOf, parseDigest, type Digest } from "../../image/digest.ts";
import {
  MANIFEST_LIMIT,
  manifestDigest,
  mayBeCalled,
  type RawManifest,
} from "../../image/manifest/manifest.ts";
import { MANIFEST_TYPES } from "../../image/media-types.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerName, DockerReference } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";
import { orForeign } from "../foreign.ts";
import { headerOf, IDENTITY } from "./answer.ts";
import { isEncoded } from "./blob-part.ts";
import { BlobReader } from "./blob-reader.ts";
import { withCredentials } from "./auth/credentials.ts";
import { RegistryClient, type Outgoing } from "./http.ts";
import { accessAt, firstThatOpens, pullSourcesFor } from "./mirrors.ts";
import { Referrers } from "./referrers.ts";
import { servedType } from "./served-type.ts";

/**
 * An image in a registry. Opening it reads nothing, and errors come with the first manifest, unless registries.conf has mirrors for it:
 * then the first place that has its manifest is where everything is read.
 */
export async function openDockerSource(
  reference: DockerReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  signal.throwIfAborted();
  const places = pullSourcesFor(access, reference);
  const open = async (place: PullSource) => {
    const source = new DockerSource(
      reference,
      place.reference,
      access,
      await withCredentials(accessAt(access, place, reference), place.reference),
    );
    if (places.length > 1) await source.getManifest(undefined, signal);
    return source;
  };
  return firstThatOpens(places, open, signal);
}

class DockerSource implements Source {
  readonly name: string;
  readonly location: { readonly registry: string; readonly repository: string };
  readonly #reference: DockerName;
  readonly #wish: AccessContext;
  readonly #pinned: Digest | undefined;
  readonly #client: RegistryClient;
  readonly #referrers: Referrers;
  #top: Promise<RawManifest> | undefined;

  /** `asked` is what the image is known by, `reference` where it is read; `wish` is the client's own, `access` what is made of it there. */
  constructor(
    asked: DockerReference,
    reference: DockerName,
    wish: AccessContext,
    access: AccessContext,
  ) {
    const { registry, repository } = reference;
    this.name = formatReference(asked);
    this.location = { registry, repository };
    this.#reference = reference;
    this.#wish = wish;
    this.#pinned = reference.digest ?? access.pinned;
    this.#client = new RegistryClient(registry, access);
    this.#referrers = new Referrers(this.#client, repository, this.#scopes);
  }

  getManifest(instance: Digest | undefined, signal: AbortSignal): Promise<RawManifest> {
    if (instance !== undefined) return this.#readNamed(instance, signal);
    this.#top ??=
      this.#pinned === undefined
        ? this.#readTagged(this.#reference.tag ?? "latest", signal)
        : this.#readNamed(this.#pinned, signal);
    return this.#top;
  }

  approach(requests: number, signal: AbortSignal): void {
    this.#client.approach(requests, signal);
  }

  async getBlob(blob: NamedBlob, _signal: AbortSignal): Promise<BlobStream> {
    return orForeign((span) => this.#blobAt(blob, span), blob, this.#wish);
  }

  async getSignatures(): Promise<readonly []> {
    return [];
  }

  getReferrers(digest: Digest, signal: AbortSignal): Promise<readonly Referrer[]> {
    return this.#referrers.of(digest, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /**
   * What a tag names. The registry says which digest that is, and where the bytes have another one it is asked for that: they were damaged
   * on their way, or converted for us. Some say a digest that they do not have (kaniko#298, for which crane never looks at it): then the
   * bytes are all there is.
   */
  async #readTagged(tag: string, signal: AbortSignal): Promise<RawManifest> {
    const { manifest, said } = await this.#read(tag, undefined, signal);
    if (said === undefined || mayBeCalled(manifest, said)) return manifest;
    return this.#readNamed(said, signal).catch((error: unknown) => {
      const isRefused = error instanceof CopyError && error.context.upstream !== undefined;
      if (isRefused && !error.retryable) return manifest;
      throw error;
    });
  }

  async #readNamed(digest: Digest, signal: AbortSignal): Promise<RawManifest> {
    const { manifest, blame } = await this.#read(digest, digest, signal);
    const actual = manifestDigest(manifest, algorithmOf(digest));
    if (actual === digest) return manifest;
    throw new CopyError(
      "digest_mismatch",
      `the manifest's digest is ${actual}, not ${digest}`,
      blame,
    );
  }

  /** `said`: which digest the registry says that it has. */
  async #read(ref: string, digest: Digest | undefined, signal: AbortSignal) {
    const out: Outgoing = {
      method: "GET",
      to: this.#path("manifests", ref),
      headers: { accept: MANIFEST_TYPES.join(", "), ...IDENTITY },
      scopes: this.#scopes,
      phase: "manifest",
      ...(digest !== undefined && { digest }),
    };
    const reply = await this.#client.send(out, signal, MANIFEST_LIMIT);
    if (reply.status !== 200) throw this.#client.refusal(reply, out);
    const context = this.#client.blame(out);
    if (!reply.whole)
      throw new CopyError(
        "manifest_invalid",
        `the manifest has more than ${MANIFEST_LIMIT} bytes`,
        context,
      );
    if (isEncoded(reply.headers))
      throw new CopyError(
        "registry_unavailable",
        `${this.#client.registry} encodes the manifest, which was not asked for`,
        context,
      );
    const manifest: RawManifest = { bytes: reply.body, mediaType: servedType(reply) };
    const said = parseDigest(headerOf(reply.headers, "docker-content-digest"));
    return { manifest, said, blame: context };
  }

  /** The request is sent only when it is poured: whoever does not holds no connection, and an upload's POST need not wait for it. */
  #blobAt({ digest, size }: NamedBlob, span: Span | undefined): Bytes {
    const out: Outgoing = {
      method: "GET",
      to: this.#path("blobs", digest),
      scopes: this.#scopes,
      phase: "blob",
      digest,
      ...(size !== undefined && { expects: size }),
    };
    return new BlobReader(
      {
        open: (headers, sends, signal) => this.#client.download({ ...out, headers }, sends, signal),
        size,
        blame: this.#client.blame(out),
        timing: this.#client.timing,
      },
      span,
    );
  }

  #path(kind: "manifests" | "blobs", ref: string): string {
    return `/v2/${this.#reference.repository}/${kind}/${ref}`;
  }

  get #scopes(): readonly string[] {
    return [`repository:${this.#reference.repository}:pull`];
  }
}
