// Blobs on their way into a registry (distribution-spec, "Pushing blobs"). A session is begun with POST; a blob whose digest and size
// are known goes with one PUT, any other with PATCH and a closing PUT. The bytes come once, so nothing here is tried again.

import { createHash } from "node:crypto";
import type { Bytes } from "../../bytes.ts";
import type { BlobStream } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { Descriptor } from "../../image/blob-info.ts";
import type { Digest } from "../../image/digest.ts";
import { headerOf, type Reply } from "./answer.ts";
import type { Outgoing, RegistryClient } from "./http.ts";

/** ms for telling a registry that an upload will not go on. */
const CANCEL_MS = 5_000;

/** Where an upload session goes on. */
export interface Session {
  readonly url: URL;
}

export class Uploads {
  readonly #client: RegistryClient;
  readonly #repository: string;

  constructor(client: RegistryClient, repository: string) {
    this.#client = client;
    this.#repository = repository;
  }

  get #scopes(): readonly string[] {
    return [`repository:${this.#repository}:pull,push`];
  }

  /** Begins a session. */
  async begin(digest: Digest | undefined, signal: AbortSignal): Promise<Session> {
    const out = this.#outgoing("POST", `/v2/${this.#repository}/blobs/uploads/`, digest);
    const reply = await this.#client.send(out, signal);
    if (reply.status !== 202) throw this.#client.refusal(reply, out);
    return this.#next(reply, out);
  }

  /** Asks for the blob of another repository. A session where the registry would rather have the bytes; undefined: it says no. */
  async mount(
    digest: Digest,
    from: string,
    signal: AbortSignal,
  ): Promise<"mounted" | Session | undefined> {
    const query = new URLSearchParams({ mount: digest, from });
    const out: Outgoing = {
      ...this.#outgoing(
        "POST",
        `/v2/${this.#repository}/blobs/uploads/?${query.toString()}`,
        digest,
      ),
      scopes: [...this.#scopes, `repository:${from}:pull`],
      phase: "mount",
    };
    try {
      const reply = await this.#client.send(out, signal);
      if (reply.status === 201) return "mounted";
      return reply.status === 202 ? this.#next(reply, out) : undefined;
    } catch (error) {
      // The token service may refuse a token for both repositories.
      if (error instanceof CopyError && error.code === "destination_unauthorized") return undefined;
      throw error;
    }
  }

  /**
   * Sends a blob. Throws the content's own error where that is what failed, else the registry's. The session is gone afterwards, on
   * every path.
   */
  async send(
    { content, info }: BlobStream,
    begun: Session | undefined,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { digest, size } = info;
    const session = { url: (begun ?? (await this.begin(digest, signal))).url };
    try {
      if (digest === undefined || size === undefined)
        return await this.#sendUnknown({ content, info }, session, signal);
      const out = this.#outgoing("PUT", withDigest(session.url, digest), digest);
      const reply = await this.#client.upload(
        { ...out, headers: { ...BINARY, "content-length": String(size) } },
        exactly(size, content),
        signal,
      );
      if (reply.status !== 201) throw this.#client.refusal(reply, out);
      return { ...info, digest, size };
    } catch (error) {
      await this.cancel(session);
      throw error;
    }
  }

  /** Tells the registry that nothing more will come; whether it listens does not matter: sessions lapse. */
  async cancel(session: Session): Promise<void> {
    await this.#client
      .sendOnce(this.#outgoing("DELETE", session.url, undefined), AbortSignal.timeout(CANCEL_MS))
      .catch(() => {});
  }

  async #sendUnknown(
    { content, info }: BlobStream,
    session: { url: URL },
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const hash = createHash("sha256");
    let size = 0;
    const measured: Bytes = {
      pour: (sink, pourSignal) =>
        content.pour((chunk, release) => {
          hash.update(chunk);
          size += chunk.length;
          sink(chunk, release);
        }, pourSignal),
    };
    const patch = { ...this.#outgoing("PATCH", session.url, info.digest), headers: BINARY };
    const sent = await this.#client.upload(patch, measured, signal);
    if (sent.status < 200 || sent.status > 299) throw this.#client.refusal(sent, patch);
    session.url = this.#next(sent, patch).url;
    const digest: Digest = info.digest ?? `sha256:${hash.digest("hex")}`;
    const put = this.#outgoing("PUT", withDigest(session.url, digest), digest);
    const reply = await this.#client.sendOnce(put, signal);
    if (reply.status !== 201) throw this.#client.refusal(reply, put);
    return { ...info, digest, size };
  }

  #next(reply: Reply, out: Outgoing): Session {
    return {
      url: this.#client.nextAddress(reply.url, headerOf(reply.headers, "location"), out),
    };
  }

  #outgoing(method: Outgoing["method"], to: string | URL, digest: Digest | undefined): Outgoing {
    return {
      method,
      to,
      scopes: this.#scopes,
      phase: "upload",
      ...(digest !== undefined && { digest }),
    };
  }
}

const BINARY = { "content-type": "application/octet-stream" } as const;

/** The query that is there already is the registry's own state: it stays as it is, byte for byte. */
const withDigest = (url: URL, digest: Digest): URL =>
  new URL(`${url.href}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`);

/** The same content; fails if it is not of this size, before its last chunk counts. */
const exactly = (size: number, content: Bytes): Bytes => ({
  async pour(sink, signal) {
    let left = size;
    const wrong = () =>
      new CopyError("size_mismatch", `the blob has not the ${size} bytes of its descriptor`, {
        side: "source",
        phase: "blob",
      });
    await content.pour((chunk, release) => {
      left -= chunk.length;
      if (left < 0) throw wrong();
      sink(chunk, release);
    }, signal);
    if (left > 0) throw wrong();
  },
});
