// Blobs on their way into a registry. Where it is known what a blob is, blob-writer.ts goes on where it broke off; a stream of unknown
// content comes once, and is not tried again.

import type { BlobStream } from "../../../copy/interfaces.ts";
import type { BlobInfo, Descriptor } from "../../../image/blob-info.ts";
import type { Digest } from "../../../image/digest.ts";
import type { AccessContext } from "../../access.ts";
import { BlobWriter } from "./blob-writer.ts";
import type { RegistryClient } from "../http.ts";
import { putStream } from "./stream-writer.ts";
import type { UploadNeeds } from "./upload-mode.ts";
import type { Keeping } from "./upload-content.ts";
import { UploadRequests, type Session } from "./upload-requests.ts";
import { mayGoOnLater, WORTH_REMEMBERING, type UploadSessions } from "./upload-sessions.ts";

/** What uploads are done by. */
export interface UploadWays {
  /** What the registry needs, as far as anybody knows. */
  readonly needs: UploadNeeds;
  /** Hears what it turned out to need. */
  readonly learn: (needs: UploadNeeds) => void;
  readonly keeping: Keeping;
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
  keeping: {
    windows: registries.windows,
    get isWanted() {
      return registries.keepsSent && registries.losses.has(registry);
    },
    want: () => registries.losses.add(registry),
  },
  sessions,
  oneScopePerToken: registries.quirksOf(registry).oneScopePerToken,
});

/** Of one repository and one copy. */
export class Uploads implements AsyncDisposable {
  readonly #requests: UploadRequests;
  readonly #ways: UploadWays;
  /** Begun for blobs that are on their way; one session is as good as another. */
  readonly #begun = new Set<Promise<Session>>();
  /** Begun where the registry answered a mount with a session: for blobs that are to be expected next. */
  readonly #left: Session[] = [];

  constructor(client: RegistryClient, repository: string, ways: UploadWays) {
    this.#requests = new UploadRequests(client, repository, ways.oneScopePerToken);
    this.#ways = ways;
  }

  /** As UploadRequests; a session is kept for whoever sends the blob. */
  async mount(digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
    const outcome = await this.#requests.mount(digest, from, signal);
    if (typeof outcome === "object") this.#left.push(outcome);
    return outcome === "mounted";
  }

  /** A blob will be sent once its first bytes are there: its session is begun meanwhile. Not a large one's: that may be there already. */
  expect({ size }: BlobInfo, signal: AbortSignal): void {
    if (size === undefined || size >= WORTH_REMEMBERING) return;
    const left = this.#left.pop();
    const session = left ? Promise.resolve(left) : this.#requests.begin(undefined, "again", signal);
    this.#begun.add(session);
    // Whoever sends a blob hears of a failure, but not of somebody else's having given up.
    session.catch(() => {
      if (signal.aborted) this.#begun.delete(session);
    });
  }

  /** Gives back what was begun and not used. */
  async [Symbol.asyncDispose](): Promise<void> {
    const begun = await Promise.allSettled(this.#begun);
    const unused = begun.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const cancel = (session: Session) => this.#requests.cancel(session);
    await Promise.all([...unused, ...this.#left.splice(0)].map(cancel));
  }

  /**
   * Sends a blob. Throws the content's own error where that is what failed, else the registry's. The session is given back if
   * it fails, but for one that is remembered and may be gone on with by a later attempt.
   */
  async send(blob: BlobStream, signal: AbortSignal): Promise<Descriptor> {
    const { digest, size } = blob.info;
    const begun = await this.#take();
    return digest === undefined || size === undefined
      ? putStream(this.#requests, this.#ways, blob, begun, signal)
      : this.#put(blob, { ...blob.info, digest, size }, begun, signal);
  }

  async #take(): Promise<Session | undefined> {
    const [first] = this.#begun;
    if (first === undefined) return this.#left.pop();
    this.#begun.delete(first);
    return first;
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
    const isWorth = size >= WORTH_REMEMBERING && this.#ways.needs.beginsAnew !== true;
    const sessions = isWorth ? this.#ways.sessions : undefined;
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
