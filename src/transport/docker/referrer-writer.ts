// Makes a manifest that refers to another one discoverable in a registry: by the API where there is one, else by the index under the
// fallback tag (distribution-spec, "Pushing Manifests with Subject"), or under cosign's tag. Two writers of one tag must not undo each
// other's work: all of this cluster agree on a lock, and what others overwrite is found out by reading again.

import type { Referrer } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import type { Descriptor } from "../../image/blob-info.ts";
import { algorithmOf, digestOf, type Digest } from "../../image/digest.ts";
import { MANIFEST_LIMIT, type RawManifest } from "../../image/manifest/manifest.ts";
import { parseReferring } from "../../image/manifest/referrer.ts";
import { OCI_INDEX } from "../../image/media-types.ts";
import type { AccessContext } from "../access.ts";
import { mergeAttachments, type AttachmentStore } from "../attachments.ts";
import { EMPTY_INDEX, formatIndex, parseIndex, type LayoutIndex } from "../oci-index.ts";
import { fallbackTag } from "../referrer-tags.ts";
import { headerOf, IDENTITY, type Reply } from "./answer.ts";
import type { Outgoing, RegistryClient } from "./http.ts";
import { Referrers } from "./referrers.ts";
import type { Uploads } from "./upload/uploads.ts";

/** Tags are read and written again so often, where somebody outside the cluster writes them at the same time. */
const ATTEMPTS = 10;

/** What a tag is to name instead; undefined: it has all that it should. */
type Change = (
  present: RawManifest | undefined,
  signal: AbortSignal,
) => Promise<RawManifest | undefined>;

export interface WriterParts {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly uploads: Uploads;
  readonly exclusive: AccessContext["exclusive"];
  /** Stores a manifest under a tag or its digest. */
  readonly put: (manifest: RawManifest, ref: string, signal: AbortSignal) => Promise<Reply>;
}

export class ReferrerWriter {
  readonly #parts: WriterParts;
  readonly #referrers: Referrers;
  /** What this copy has listed under fallback tags, by subject. */
  readonly #listed = new Map<Digest, Map<Digest, Descriptor>>();
  /** Subjects whose list is still to be written. */
  readonly #unlisted = new Set<Digest>();
  readonly #store: AttachmentStore = {
    getConfig: (digest, signal) => this.#getConfig(digest, signal),
    putConfig: (config, signal) => this.#parts.uploads.send(config, signal),
  };

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#referrers = new Referrers(parts.client, parts.repository, parts.scopes);
  }

  /** `list` is to follow. Both throw `tag_exists` where a tag that is needed names something else, and what the registry refuses. */
  async put(
    manifest: RawManifest,
    { digest, tag }: Referrer,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    if (tag !== undefined) {
      const merge: Change = (present, held) =>
        mergeAttachments(present, manifest, tag, this.#store, held);
      return this.#change(tag, subject, merge, signal);
    }
    const { headers } = await this.#parts.put(manifest, digest, signal);
    // ECR takes note of subjects and has no API. Quay keeps a list for a while: that of the subject must not be asked for between two that belong to it.
    const isNoted = headerOf(headers, "oci-subject") === subject;
    if (isNoted && (await this.#referrers.hasApi(digest, signal))) return;
    const listed = this.#listed.get(subject) ?? new Map<Digest, Descriptor>();
    this.#listed.set(subject, listed.set(digest, parseReferring(manifest, digest).descriptor));
    this.#unlisted.add(subject);
  }

  /** Lists what was put since the last time, where the registry does not: once for all that refers to the same, since its tags may have to stay. */
  async list(signal: AbortSignal): Promise<void> {
    for (const subject of this.#unlisted) {
      this.#unlisted.delete(subject);
      const listed = this.#listed.get(subject) ?? new Map<Digest, Descriptor>();
      const change: Change = async (present) => addToIndex(this.#indexOf(present, subject), listed);
      await this.#change(fallbackTag(subject), subject, change, signal);
    }
  }

  /** Reads, changes and writes what a tag names, until the change is found there. */
  async #change(tag: string, subject: Digest, change: Change, signal: AbortSignal): Promise<void> {
    const { client, repository, exclusive, put } = this.#parts;
    await exclusive(`referrers:${client.registry}/${repository}:${tag}`).run(async (held) => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const present = await this.#referrers.getTagged(tag, subject, held, "sure");
        const changed = await change(present, held);
        if (changed === undefined) return;
        await put(changed, tag, held);
      }
      throw new CopyError(
        "registry_unavailable",
        `\`${tag}\` does not keep what is put there: somebody else overwrites it again and again`,
        client.blame({ phase: "manifest" }),
      );
    }, signal);
  }

  #indexOf(present: RawManifest | undefined, subject: Digest): LayoutIndex {
    if (present === undefined) return EMPTY_INDEX;
    try {
      if (present.mediaType !== OCI_INDEX) throw new Error(`it is \`${present.mediaType}\``);
      return parseIndex(present.bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CopyError(
        "tag_exists",
        `\`${fallbackTag(subject)}\` is to list what refers to ${subject}, but is no such list: ${why}`,
        this.#parts.client.blame({ phase: "manifest" }),
        error,
      );
    }
  }

  async #getConfig(digest: Digest, signal: AbortSignal): Promise<Buffer> {
    const { client, repository, scopes } = this.#parts;
    const out: Outgoing = {
      method: "GET",
      to: `/v2/${repository}/blobs/${digest}`,
      headers: IDENTITY,
      scopes,
      phase: "blob",
      digest,
    };
    const reply = await client.send(out, signal, MANIFEST_LIMIT);
    if (reply.status !== 200) throw client.refusal(reply, out);
    const actual = digestOf(reply.body, algorithmOf(digest));
    if (actual === digest) return reply.body;
    throw new CopyError(
      "digest_mismatch",
      `the config's digest is ${actual}, not ${digest}`,
      client.blame(out),
    );
  }
}

/** The index with what it lacks; undefined: nothing. */
function addToIndex(
  index: LayoutIndex,
  listed: ReadonlyMap<Digest, Descriptor>,
): RawManifest | undefined {
  const there = new Set(index.entries.map((entry) => entry["digest"]));
  const missing = [...listed.values()].filter(({ digest }) => !there.has(digest));
  if (missing.length === 0) return undefined;
  const entries = [...index.entries, ...missing.map((entry) => ({ ...entry }))];
  return { bytes: formatIndex({ ...index, entries }), mediaType: OCI_INDEX };
}
