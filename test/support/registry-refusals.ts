// What the test registry refuses by its quirks before it looks any closer, where the spec would have it go on.

import type { IncomingMessage } from "node:http";
import { Refusal, type Content } from "./registry-content.ts";
import type { Exchange } from "./registry-http.ts";
import type { Quirk } from "./registry-quirks.ts";

type Quirks = ReadonlySet<Quirk>;

/** What a front end lets pass of a request's headers, as ACR's does. */
const HEADERS_LIMIT = 4 * 1024;

/** Throws for more headers than the front end takes. */
export function checkHeaders({ rawHeaders }: IncomingMessage, quirks: Quirks): void {
  const length = rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  if (length > HEADERS_LIMIT && quirks.has("small-headers"))
    throw new Refusal(400, "UNKNOWN", "Request Header Or Cookie Too Large");
}

/** Throws for what a request must not want, though the one who sends it is known. */
export function checkWish(
  { method, kind, repository, url: { searchParams } }: Exchange,
  content: Content,
  quirks: Quirks,
): void {
  const isRead = method === "GET" || method === "HEAD";
  if (isRead && (kind === "manifests" || kind === "blobs") && quirks.has("push-only"))
    throw new Refusal(403, "DENIED", "requested access to the resource is denied");
  if (kind !== "uploads" || method !== "POST") return;
  if (!has(content, repository) && quirks.has("no-new-repositories"))
    throw new Refusal(404, "NAME_UNKNOWN", `the repository ${repository} does not exist`);
  const from = searchParams.get("from");
  if (from === null && searchParams.has("mount") && quirks.has("wants-from"))
    throw new Refusal(400, "INVALID_REQUEST");
  if (from === null || has(content, from)) return;
  if (quirks.has("refuses-foreign")) throw new Refusal(400, "UNKNOWN", "invalid repository name");
  if (quirks.has("denies-foreign")) throw new Refusal(401, "UNAUTHORIZED", "project not found");
}

const has = (content: Content, repository: string): boolean =>
  content.manifests(repository) !== undefined;
