// The requests of an upload (distribution-spec, "Pushing blobs"), each sent once unless it says otherwise.

import { fromBuffer, type Bytes } from "../../../bytes.ts";
import { CopyError } from "../../../errors.ts";
import type { Digest } from "../../../image/digest.ts";
import { headerOf, type Reply } from "../answer.ts";
import { parseCount } from "../content-range.ts";
import type { Outgoing, RegistryClient } from "../http.ts";

/** ms for telling a registry that an upload will not go on. */
const CANCEL_MS = 5_000;

/** Where an upload goes on. */
export interface Session {
  readonly url: URL;
  /** Fewer bytes than this must not come with a PATCH, but for the last. */
  readonly leastBytes?: number;
}

export type Stored = "stored" | "other" | "unknown";

const BINARY = { "content-type": "application/octet-stream" } as const;

export class UploadRequests {
  readonly client: RegistryClient;
  readonly repository: string;
  #oneScope: boolean;

  /** `oneScope`: the token service looks at one scope only, so that a token for a mount would not allow the upload. */
  constructor(client: RegistryClient, repository: string, oneScope = false) {
    this.#oneScope = oneScope;
    this.client = client;
    this.repository = repository;
  }

  /** Throws where none is begun. */
  async begin(
    digest: Digest | undefined,
    sends: "once" | "again",
    signal: AbortSignal,
  ): Promise<Session> {
    const out = this.#outgoing("POST", this.#path("uploads/"), digest);
    const reply =
      sends === "once"
        ? await this.client.sendOnce(out, signal)
        : await this.client.send(out, signal);
    if (reply.status !== 202) throw this.client.refusal(reply, out);
    return this.next(reply, digest);
  }

  /**
   * Asks for the blob of another repository. A session where the registry would rather have the bytes; undefined: it says no. Where that is
   * for want of a token for both, later mounts of this copy are asked with the repository's own: a registry answers those with a session.
   */
  async mount(
    digest: Digest,
    from: string,
    signal: AbortSignal,
  ): Promise<"mounted" | Session | undefined> {
    const query = new URLSearchParams({ mount: digest, from });
    const out: Outgoing = {
      ...this.#outgoing("POST", this.#path(`uploads/?${query.toString()}`), digest),
      scopes: this.#oneScope ? this.#scopes : [...this.#scopes, `repository:${from}:pull`],
      phase: "mount",
    };
    try {
      const reply = await this.client.send(out, signal);
      if (reply.status === 201) return "mounted";
      if (reply.status === 202) return this.next(reply, digest);
      if (reply.status !== 401) return undefined;
    } catch (error) {
      if (!(error instanceof CopyError) || error.code !== "destination_unauthorized") throw error;
    }
    // A token service may refuse one for both repositories, or give one for either of them.
    this.#oneScope = true;
    return undefined;
  }

  /** How far it is. */
  ask({ url }: Session, digest: Digest, signal: AbortSignal): Promise<Reply> {
    return this.client.sendOnce(this.#outgoing("GET", url, digest), signal);
  }

  /** `headers`: what is known of where the bytes belong. */
  patch(
    { url }: Session,
    body: Bytes | Buffer,
    digest: Digest | undefined,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const out = { ...this.#outgoing("PATCH", url, digest), headers: { ...BINARY, ...headers } };
    return this.client.upload(out, Buffer.isBuffer(body) ? fromBuffer(body) : body, signal);
  }

  /** The last request, with all the blob's bytes. */
  putWhole(
    { url }: Session,
    body: Bytes,
    { digest, size }: { readonly digest: Digest; readonly size: number },
    signal: AbortSignal,
  ): Promise<Reply> {
    const headers = { ...BINARY, "content-length": String(size) };
    const out = { ...this.#outgoing("PUT", withDigest(url, digest), digest), headers };
    return this.client.upload(out, body, signal);
  }

  /** The last request, when all bytes are there. */
  close({ url }: Session, digest: Digest, signal: AbortSignal): Promise<Reply> {
    return this.client.sendOnce(this.#outgoing("PUT", withDigest(url, digest), digest), signal);
  }

  /** What the registry has of the blob: `other` is something of another length under its digest. */
  async look(digest: Digest, size: number, signal: AbortSignal): Promise<Stored> {
    const out: Outgoing = {
      ...this.#outgoing("HEAD", this.#path(digest), digest),
      phase: "blob",
    };
    const { status, headers } = await this.client.send(out, signal);
    if (status !== 200) return "unknown";
    const length = headerOf(headers, "content-length");
    return length === undefined || Number(length) === size ? "stored" : "other";
  }

  /**
   * Looks at a blob that was put together of several requests, and of which the registry says that it is stored. Artifactory is known to
   * have kept the last of them only, under the digest of all (wasmCloud/wasmCloud#3405): throws `size_mismatch` for that.
   */
  async checkStored(digest: Digest, size: number, signal: AbortSignal): Promise<void> {
    if ((await this.look(digest, size, signal)) !== "other") return;
    const what = `${this.client.registry} has stored something else than the ${size} bytes that it was sent`;
    throw new CopyError("size_mismatch", what, this.client.blame(this.#blame(digest)));
  }

  /** Tells the registry that nothing more will come; whether it listens does not matter: sessions lapse. */
  async cancel({ url }: Session): Promise<void> {
    await this.client
      .sendOnce(this.#outgoing("DELETE", url, undefined), AbortSignal.timeout(CANCEL_MS))
      .catch(() => {});
  }

  /** The session as an answer tells that it goes on. Throws where it must not be gone on with there. */
  next(reply: Reply, digest: Digest | undefined): Session {
    const location = headerOf(reply.headers, "location");
    const least = parseCount(headerOf(reply.headers, "oci-chunk-min-length") ?? "");
    return {
      url: this.client.nextAddress(reply.url, location, this.#blame(digest)),
      ...(least !== undefined && { leastBytes: least }),
    };
  }

  /** The error for an answer that is not the one hoped for. */
  refusal(reply: Reply, digest: Digest | undefined): CopyError {
    return this.client.refusal(reply, { ...this.#blame(digest), scopes: this.#scopes });
  }

  get #scopes(): readonly string[] {
    return [`repository:${this.repository}:pull,push`];
  }

  #path(rest: string): string {
    return `/v2/${this.repository}/blobs/${rest}`;
  }

  #blame(digest: Digest | undefined): Pick<Outgoing, "phase" | "digest"> {
    return { phase: "upload", ...(digest !== undefined && { digest }) };
  }

  #outgoing(method: Outgoing["method"], to: string | URL, digest: Digest | undefined): Outgoing {
    return { method, to, scopes: this.#scopes, ...this.#blame(digest) };
  }
}

/** The query that is there already is the registry's own state: it stays as it is, byte for byte. */
const withDigest = (url: URL, digest: Digest): URL =>
  new URL(`${url.href}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`);
