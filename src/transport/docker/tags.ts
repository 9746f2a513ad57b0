import { CopyError } from "../../errors.ts";
import { parseDigest } from "../../image/digest.ts";
import { parseJsonObject } from "../../image/json.ts";
import { isTag, type DockerReference } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";
import type { Reply } from "./answer.ts";
import { withCredentials } from "./auth/credentials.ts";
import { accessByName } from "./mirrors.ts";
import { RegistryClient, type Outgoing } from "./http.ts";
import { nextPage, PAGES } from "./pages.ts";

/** What one answer may hold. */
const TAGS_LIMIT = 200_000;
/** Bytes. */
const PAGE_LIMIT = 4 * 1024 * 1024;

/**
 * All tags of a repository, in the registry's order (semantics 7.2.8). Throws `source_not_found`, `source_unauthorized`, and
 * `registry_unavailable` where the list is not one.
 */
export async function listDockerTags(
  { registry, repository }: DockerReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const name = { registry, repository };
  const known = await withCredentials(accessByName(access, name), name);
  const client = new RegistryClient(registry, known);
  return readTags(client, { repository, scopes: [`repository:${repository}:pull`] }, signal);
}

/** The same of a repository whose registry is a client's already. Throws what that side's refusals are, else as above. */
export async function readTags(
  client: RegistryClient,
  { repository, scopes }: { readonly repository: string; readonly scopes: readonly string[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const first: Outgoing = {
    method: "GET",
    to: `/v2/${repository}/tags/list`,
    headers: { accept: "application/json" },
    scopes,
    phase: "tags",
  };
  const broken = (why: string): CopyError =>
    new CopyError("registry_unavailable", `${client.registry} ${why}`, client.blame(first));
  const tags: string[] = [];
  let out = first;
  for (let page = 1; page <= PAGES; page++) {
    const reply = await client.send(out, signal, PAGE_LIMIT);
    if (reply.status !== 200) throw client.refusal(reply, out);
    const found = tagsIn(reply);
    if (typeof found === "string") throw broken(found);
    for (const tag of found) tags.push(tag);
    if (tags.length > TAGS_LIMIT) throw broken(`has more than ${TAGS_LIMIT} tags`);
    const next = nextPage(client, reply, out);
    if (next === undefined) return tags;
    out = { ...first, to: next };
  }
  throw broken(`gives a list of more than ${PAGES} pages`);
}

/** A page's tags, or why it has none. Registries are known to list empty names and digests among them; those are no tags. */
function tagsIn({ body, whole }: Reply): readonly string[] | string {
  if (!whole) return `gives a page of more than ${PAGE_LIMIT} bytes`;
  let listed: unknown;
  try {
    // Registries write null for an empty list.
    listed = parseJsonObject(body)["tags"] ?? [];
  } catch (error) {
    return `does not answer with a list of tags: ${error instanceof Error ? error.message : ""}`;
  }
  if (!Array.isArray(listed)) return "does not answer with a list of tags";
  const tags = listed.filter((tag) => tag !== "" && parseDigest(tag) === undefined) as unknown[];
  const wrong = tags.find((tag) => typeof tag !== "string" || !isTag(tag));
  return wrong === undefined
    ? (tags as string[])
    : `lists ${JSON.stringify(wrong).slice(0, 80)}, which is not a tag`;
}
