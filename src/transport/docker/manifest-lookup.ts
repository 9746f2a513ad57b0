// What a destination's reference names, as far as it may be looked at. 403 does not say whether something is there: registries answer so to
// whoever may push and not pull, and some hide what is missing by it (docs/registries.md).

import type { Certainty, FoundManifest } from "../../copy/interfaces.ts";
import { CopyError } from "../../errors.ts";
import { parseDigest } from "../../image/digest.ts";
import { MANIFEST_LIMIT, manifestDigest } from "../../image/manifest/manifest.ts";
import { MANIFEST_TYPES } from "../../image/media-types.ts";
import { headerOf, IDENTITY, mediaTypeOf, type Reply } from "./answer.ts";
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
    headers: { accept: MANIFEST_TYPES.join(", "), ...IDENTITY },
    scopes,
    phase: "manifest",
  };
  const reply = await client.send(out, signal);
  if (await isNothing(reply, lookup, certainty, signal)) return undefined;
  if (reply.status !== 200) throw client.refusal(reply, out);
  const digest = parseDigest(ref) ?? parseDigest(headerOf(reply.headers, "docker-content-digest"));
  if (digest !== undefined) return { digest, mediaType: mediaTypeOf(reply) };
  return readWhole(client, { ...out, method: "GET" }, certainty, signal);
}

/** Whether an answer to the request for a manifest says that there is none. Throws as findManifest. */
export async function isNothing(
  reply: Reply,
  lookup: Lookup,
  certainty: Certainty,
  signal: AbortSignal,
): Promise<boolean> {
  if (!isUnknown(reply.status)) return false;
  // What a digest names is never overwritten.
  if (isAbsent(reply.status) || certainty === "likely" || parseDigest(lookup.ref) !== undefined)
    return true;
  const { client, scopes } = lookup;
  await checkUnlisted(lookup, client.refusal(reply, { phase: "manifest", scopes }), signal);
  return true;
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
  if (isThere === "no") return;
  const tag = `the tag \`${lookup.ref}\``;
  const what =
    isThere === "yes"
      ? `${tag} exists, but what it names could not be found out`
      : `whether ${tag} exists could not be found out`;
  throw refused.because(`${what}: use a credential that may pull there`);
}

/** `unknown`: the list may not be seen either. */
async function isListed(
  { client, repository, scopes, ref }: Lookup,
  signal: AbortSignal,
): Promise<"yes" | "no" | "unknown"> {
  try {
    const tags = await readTags(client, { repository, scopes }, signal);
    return tags.includes(ref) ? "yes" : "no";
  } catch (error) {
    const status = error instanceof CopyError ? error.context.upstream?.status : undefined;
    if (!(error instanceof CopyError) || error.retryable || status === undefined) throw error;
    return isAbsent(status) ? "no" : "unknown";
  }
}
