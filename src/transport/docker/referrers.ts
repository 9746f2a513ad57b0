// What refers to a manifest of a repository: by its subject, which the registry lists, or an index under a tag where it does not
// (distribution-spec, "Listing Referrers", "Referrers Tag Schema"); and by cosign's tags.

import type { Certainty, Referrer } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import { algorithmOf, digestOf, type Digest } from "../../image/digest.ts";
import { parseList } from "../../image/manifest/list.ts";
import { MANIFEST_LIMIT, type RawManifest } from "../../image/manifest/manifest.ts";
import { REFERRER_LIMITS } from "../../image/manifest/referrer.ts";
import { MANIFEST_TYPES, OCI_INDEX } from "../../image/media-types.ts";
import { cosignTags, fallbackTag } from "../referrer-tags.ts";
import { IDENTITY, mediaTypeOf, type Reply } from "./answer.ts";
import type { Outgoing, RegistryClient } from "./http.ts";
import { isNothing } from "./manifest-lookup.ts";
import { nextPage, PAGES } from "./pages.ts";
import { servedType } from "./served-type.ts";

/** Bytes of all pages of one list. */
const LIST_LIMIT = 64 * 1024 * 1024;
/** What registries answer that do not know the API. */
const NO_API: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 501]);

export class Referrers {
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #scopes: readonly string[];
  /** Whether the repository has the API; undefined: nobody asked yet. */
  #api: boolean | undefined;

  constructor(client: RegistryClient, repository: string, scopes: readonly string[]) {
    this.#client = client;
    this.#repository = repository;
    this.#scopes = scopes;
  }

  /** All that refers to a manifest, each once. Throws as `RegistryClient.send`, and `manifest_invalid` for a list that is none. */
  async of(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]> {
    const bySubject =
      (await this.#fromApi(subject, signal)) ?? (await this.#fromTag(subject, signal));
    const byTag: Referrer[] = [];
    for (const tag of cosignTags(subject)) {
      const found = await this.getTagged(tag, subject, signal);
      if (found !== undefined)
        byTag.push({
          mediaType: found.mediaType,
          digest: digestOf(found.bytes),
          size: found.bytes.length,
          tag,
        });
    }
    return [...bySubject, ...byTag];
  }

  /** Whether the registry lists referrers by itself: of any manifest that it has. Asks once. */
  async hasApi(of: Digest, signal: AbortSignal): Promise<boolean> {
    if (this.#api !== undefined) return this.#api;
    const out = this.#listOf(of);
    const reply = await this.#askApi(out, signal);
    const none = isNone(reply, this.#client);
    if (!none && reply.status !== 200) throw this.#client.refusal(reply, out);
    this.#api = !none;
    return this.#api;
  }

  /**
   * What a tag names; undefined: nothing. GitLab's registry takes `sha256-<hex>` for the digest, and serves the subject itself: that
   * is nothing, too. Who would put another in its place has to be `sure`: as findManifest.
   */
  async getTagged(
    tag: string,
    subject: Digest,
    signal: AbortSignal,
    certainty: Certainty = "likely",
  ): Promise<RawManifest | undefined> {
    const out = this.#outgoing(
      `/v2/${this.#repository}/manifests/${tag}`,
      MANIFEST_TYPES.join(", "),
    );
    const reply = await this.#client.send(out, signal, MANIFEST_LIMIT);
    const at = { client: this.#client, repository: this.#repository, scopes: this.#scopes };
    if (await isNothing(reply, { ...at, ref: tag }, certainty, signal)) return undefined;
    const bytes = this.#bodyOf(reply, out);
    if (digestOf(bytes, algorithmOf(subject)) === subject) return undefined;
    return { bytes, mediaType: servedType(reply) };
  }

  async #fromApi(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[] | undefined> {
    if (this.#api === false) return undefined;
    const found = new Map<Digest, Referrer>();
    let out = this.#listOf(subject);
    let bytes = 0;
    for (let page = 1; page <= PAGES; page++) {
      const reply = await this.#askApi(out, signal);
      if (page === 1 && isNone(reply, this.#client)) {
        this.#api ??= false;
        return undefined;
      }
      this.#api = true;
      for (const entry of this.#entriesOf(reply, out)) found.set(entry.digest, entry);
      bytes += reply.body.length;
      if (found.size > REFERRER_LIMITS.count || bytes > LIST_LIMIT) break;
      const next = nextPage(this.#client, reply, out);
      if (next === undefined) return [...found.values()];
      out = { ...out, to: next };
    }
    throw this.#invalid(`more refers to ${subject} than can be listed`, out);
  }

  async #fromTag(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]> {
    const index = await this.getTagged(fallbackTag(subject), subject, signal);
    if (index?.mediaType !== OCI_INDEX) return [];
    const found = new Map(parseList(index).instances.map((entry) => [entry.digest, entry]));
    return [...found.values()];
  }

  #askApi(out: Outgoing, signal: AbortSignal): Promise<Reply> {
    return this.#client.send(out, signal, MANIFEST_LIMIT);
  }

  #entriesOf(reply: Reply, out: Outgoing): readonly Referrer[] {
    return parseList({ bytes: this.#bodyOf(reply, out), mediaType: OCI_INDEX }).instances;
  }

  #bodyOf(reply: Reply, out: Outgoing): Buffer {
    if (reply.status !== 200) throw this.#client.refusal(reply, out);
    if (reply.whole) return reply.body;
    throw this.#invalid(
      `a list of what refers to an image has more than ${MANIFEST_LIMIT} bytes`,
      out,
    );
  }

  #listOf(subject: Digest): Outgoing {
    return this.#outgoing(`/v2/${this.#repository}/referrers/${subject}`, OCI_INDEX, subject);
  }

  #outgoing(to: string, accept: string, digest?: Digest): Outgoing {
    return {
      method: "GET",
      to,
      headers: { accept, ...IDENTITY },
      scopes: this.#scopes,
      phase: "manifest",
      ...(digest !== undefined && { digest }),
    };
  }

  #invalid(what: string, out: Outgoing): CopyError {
    return new CopyError("manifest_invalid", what, this.#client.blame(out));
  }
}

/**
 * The answer of a registry without the API. Some answer anything with 200 and a page for people; GitHub's sends on to its web site,
 * which has its own reasons to refuse.
 */
const isNone = (reply: Reply, client: RegistryClient): boolean =>
  NO_API.has(reply.status) ||
  (reply.status === 200 && mediaTypeOf(reply) !== OCI_INDEX) ||
  (reply.status !== 200 && !client.owns(reply.url));
