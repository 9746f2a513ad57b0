// Lists that come in pages (distribution-spec, "Listing Tags", "Listing Referrers"; RFC 8288).

import { CopyError } from "../../errors.ts";
import type { Reply } from "./answer.ts";
import type { Outgoing, RegistryClient } from "./http.ts";

/** Pages of one list that are read (reliability T08). */
export const PAGES = 1_000;

/**
 * Where a list goes on, at the origin that this page came from; undefined: it ends here. Throws `registry_unavailable` for another host.
 * A registry behind a proxy may not know its own scheme and port: as in containers/image, only path and query of its link count.
 */
export function nextPage(
  client: RegistryClient,
  { url, headers }: Reply,
  out: Pick<Outgoing, "phase" | "digest">,
): URL | undefined {
  const link = nextLink([headers["link"] ?? []].flat().join(","));
  if (link === undefined) return undefined;
  const target = URL.parse(link, url);
  if (target?.hostname !== url.hostname)
    throw new CopyError(
      "registry_unavailable",
      `${client.registry} has the next page of a list at another host, which is not asked`,
      client.blame(out),
    );
  const next = new URL(url);
  next.pathname = target.pathname;
  next.search = target.search;
  return next;
}

/**
 * The target of a `Link` header's first link that leads on: by `rel="next"`, or without any `rel`, as containers/image takes it.
 * Undefined: there is none. Reads from left to right, once.
 */
export function nextLink(header: string): string | undefined {
  for (let at = header.indexOf("<"); at >= 0; at = header.indexOf("<", at)) {
    const close = header.indexOf(">", at);
    if (close < 0) return undefined;
    const end = endOfLink(header, close + 1);
    const relation = relationOf(header.slice(close + 1, end));
    if (relation === undefined || relation.split(" ").includes("next"))
      return header.slice(at + 1, close);
    at = end;
  }
  return undefined;
}

/** Where a link's parameters end: at a comma outside of quotes. */
function endOfLink(header: string, start: number): number {
  let isQuoted = false;
  for (let i = start; i < header.length; i++) {
    if (header[i] === "\\" && isQuoted) i++;
    else if (header[i] === '"') isQuoted = !isQuoted;
    else if (header[i] === "," && !isQuoted) return i;
  }
  return header.length;
}

function relationOf(parameters: string): string | undefined {
  for (const parameter of parameters.split(";")) {
    const [name = "", value = ""] = parameter.split("=", 2);
    if (name.trim().toLowerCase() === "rel")
      return value.trim().replaceAll('"', "").trim().toLowerCase();
  }
  return undefined;
}
