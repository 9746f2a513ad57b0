// The test registry's list of tags (OCI distribution-spec, "Listing Tags").

import type { IncomingMessage, ServerResponse } from "node:http";
import { serveBlob, type BlobFault } from "./registry-blobs.ts";
import { Refusal } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly repository: string;
  readonly fault: BlobFault | undefined;
}

/** One page; `perPage`: of how many tags, if the client does not say. */
export async function answerTags(
  { request, response, url, repository, fault }: Asked,
  all: readonly string[] | undefined,
  perPage: number | undefined,
  quirks: ReadonlySet<Quirk>,
): Promise<void> {
  if (all === undefined) throw new Refusal(404, "NAME_UNKNOWN");
  if (Number(url.searchParams.get("n") ?? 0) > 1_000 && quirks.has("small-pages"))
    throw new Refusal(400, "UNSUPPORTED", "no more than 1000 at once");
  const last = url.searchParams.get("last");
  const left = last === null ? all : all.filter((tag) => tag > last);
  const size = url.searchParams.get("n") ?? perPage ?? left.length;
  const tags = left.slice(0, Number(size));
  if (tags.length > 0 && tags.length < left.length)
    response.setHeader(
      "Link",
      `</v2/${repository}/tags/list?n=${tags.length}&last=${tags.at(-1)}>; rel="next"`,
    );
  response.setHeader("Content-Type", "application/json");
  const bytes = Buffer.from(JSON.stringify({ name: repository, tags }));
  await serveBlob({ request, response, bytes, fault });
}
