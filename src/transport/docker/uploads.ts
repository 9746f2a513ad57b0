// Blobs on their way into a registry. Where it is known what a blob is, blob-writer.ts goes on where it broke off; a stream of unknown
// content comes once, and is not tried again.

import type { BlobStream } from "../../copy/interfaces.ts";
import type { Descriptor } from "../../image/blob-info.ts";
import type { Digest } from "../../image/digest.ts";
import type { AccessContext } from "../access.ts";
import { BlobWriter } from "./blob-writer.ts";
import type { RegistryClient } from "./http.ts";
import { putStream } from "./stream-writer.ts";
import type { UploadNeeds } from "./upload-mode.ts";
import { UploadRequests, type Session } from "./upload-requests.ts";
import { mayGoOnLater, WORTH_REMEMBERING, type UploadSessions } from "./upload-sessions.ts";

/** What uploads are done by. */
export interface UploadWays {
  /** What the registry needs, as far as anybody knows. */
  readonly needs: UploadNeeds;
  /** Hears what it turned out to need. */
  readonly learn: (needs: UploadNeeds) => void;
  /** Absent: no upload outlives its attempt. */
  readonly sessions?: UploadSessions | undefined;
  /** A token for a mount would not allow what comes after it. */
  readonly oneScopePerToken?: boolean;
}

/** By what this process has learnt of the registry. */
export const waysIn = (
  { registries, uploads: sessions }: AccessContext,
  registry: string,
): UploadWays => ({
  get needs() {
    return registries.uploads.get(registry) ?? registries.quirksOf(registry).uploads;
  },
  learn: (needs) => void registries.uploads.set(registry, needs),
  sessions,
  oneScopePerToken: registries.quirksOf(registry).oneScopePerToken,
});

export class Uploads {
  readonly #requests: UploadRequests;
  readonly #ways: UploadWays;

  constructor(client: RegistryClient, repository: string, ways: UploadWays) {
    this.#requests = new UploadRequests(client, repository, ways.oneScopePerToken);
    this.#ways = ways;
  }

  /** As UploadRequests. */
  mount(
    digest: Digest,
    from: string,
    signal: AbortSignal,
  ): Promise<"mounted" | Session | undefined> {
    return this.#requests.mount(digest, from, signal);
  }

  /** As UploadRequests. */
  cancel(session: Session): Promise<void> {
    return this.#requests.cancel(session);
  }

  /**
   * Sends a blob. Throws the content's own error where that is what failed, else the registry's. The session is given back if
   * it fails, but for one that is remembered and may be gone on with by a later attempt.
   */
  async send(
    blob: BlobStream,
    begun: Session | undefined,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { digest, size } = blob.info;
    return digest === undefined || size === undefined
      ? putStream(this.#requests, this.#ways, blob, begun, signal)
      : this.#put(blob, { ...blob.info, digest, size }, begun, signal);
  }

  async #put(
    { content, again }: BlobStream,
    info: Descriptor,
    begun: Session | undefined,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { digest, size } = info;
    const { registry } = this.#requests.client;
    const place = { registry, repository: this.#requests.repository, digest };
    const sessions = size >= WORTH_REMEMBERING ? this.#ways.sessions : undefined;
    await using writer = new BlobWriter(
      { content, again, digest, size },
      {
        requests: this.#requests,
        ...this.#ways,
        onSession: ({ url }) => void sessions?.remember(place, url),
      },
      signal,
    );
    try {
      await writer.write(begun, await sessions?.find(place));
    } catch (error) {
      if (sessions !== undefined && mayGoOnLater(error)) throw error;
      await Promise.all([writer.cancel(), sessions?.forget(place)]);
      throw error;
    }
    await sessions?.forget(place);
    return info;
  }
}
