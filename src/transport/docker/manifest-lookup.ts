// What a destination's reference names, as far as it may be looked at. 403 does not say whether something is there: registries answer so to
// whoever may push and not pull, and some hide what is missing by it (docs/registries.md).

import type { Certainty, FoundManifest } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import { parseDigest } from "../../image/digest.ts";
import { MANIFEST_LIMIT, manifestDigest } from "../../image/manifest/manifest.ts";
import { MANIFEST_TYPES } from "../../image/media-types.ts";
import { headerOf, mediaTypeOf } from "./answer.ts";
import { isAbsent, isUnknown } from "./failure-class.ts";
import type { Outgoing, RegistryClient } from "./http.ts";
import { servedType } from "./served-type.ts";
import { readTags } from "./tags.ts";

/** Where something is looked for. */
export interface Lookup {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Of the destination's tokens. */
  readonly scopes: readonly string[];
  /** A tag or a digest. */
  readonly ref: string;
}

/**
 * As `Destination.findManifest`. Who is to be `sure` has the tags listed where a tag may not be looked at, and is thrown
 * `destination_unauthorized` unless it is not among them.
 */
export async function findManifest(
  lookup: Lookup,
  certainty: Certainty,
  signal: AbortSignal,
): Promise<FoundManifest | undefined> {
  const { client, repository, scopes, ref } = lookup;
  const out: Outgoing = {
    method: "HEAD",
    to: `/v2/${repository}/manifests/${ref}`,
    headers: { accept: MANIFEST_TYPES.join(", ") },
    scopes,
    phase: "manifest",
  };
  const reply = await client.send(out, signal);
  const named = parseDigest(ref);
  if (isAbsent(reply.status)) return undefined;
  if (isUnknown(reply.status)) {
    // What a digest names is never overwritten.
    if (certainty === "sure" && named === undefined)
      await checkUnlisted(lookup, client.refusal(reply, out), signal);
    return undefined;
  }
  if (reply.status !== 200) throw client.refusal(reply, out);
  const digest = named ?? parseDigest(headerOf(reply.headers, "docker-content-digest"));
  if (digest !== undefined) return { digest, mediaType: mediaTypeOf(reply) };
  return readWhole(client, { ...out, method: "GET" }, certainty, signal);
}

/** Where the registry does not say the digest. */
async function readWhole(
  client: RegistryClient,
  out: Outgoing,
  certainty: Certainty,
  signal: AbortSignal,
): Promise<FoundManifest | undefined> {
  const reply = await client.send(out, signal, MANIFEST_LIMIT);
  if (isAbsent(reply.status)) return undefined;
  if (reply.status !== 200) throw client.refusal(reply, out);
  if (reply.whole) {
    const mediaType = servedType(reply);
    return { digest: manifestDigest({ bytes: reply.body, mediaType }), mediaType };
  }
  if (certainty === "likely") return undefined;
  const what = `the tag names a manifest of more than ${MANIFEST_LIMIT} bytes, which is not read`;
  throw new CopyError("tag_exists", what, client.blame(out));
}

/** Throws `refused`, and why it matters, unless the registry lists its tags without this one. */
async function checkUnlisted(
  lookup: Lookup,
  refused: CopyError,
  signal: AbortSignal,
): Promise<void> {
  const isThere = await isListed(lookup, signal);
  if (isThere === false) return;
  const tag = `the tag \`${lookup.ref}\``;
  throw refused.because(
    isThere === true
      ? `${tag} exists, but what it names could not be found out; use a credential that may pull there`
      : `whether ${tag} exists could not be found out: use a credential that may pull there, or \`ifTagExists: overwrite\``,
  );
}

/** Undefined: the list may not be seen either. */
async function isListed(
  { client, repository, scopes, ref }: Lookup,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  try {
    return (await readTags(client, { repository, scopes }, signal)).includes(ref);
  } catch (error) {
    const status = error instanceof CopyError ? error.context.upstream?.status : undefined;
    if (!(error instanceof CopyError) || error.retryable || status === undefined) throw error;
    return isAbsent(status) ? false : undefined;
  }
}
