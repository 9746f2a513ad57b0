// Lists that come in pages (distribution-spec, "Listing Tags", "Listing Referrers"; RFC 8288).

import { CopyError } from "../../errors.ts";
import type { Reply } from "./answer.ts";
import type { Outgoing, RegistryClient } from "./http.ts";

/** Pages of one list that are read (reliability T08). */
export const PAGES = 1_000;

/** Where a list goes on; undefined: it ends here. Throws `registry_unavailable` for an address that is not of this page's origin. */
export function nextPage(
  client: RegistryClient,
  { url, headers }: Reply,
  out: Pick<Outgoing, "phase" | "digest">,
): URL | undefined {
  const target = nextIn([headers["link"]].flat().join(","));
  if (target === undefined) return undefined;
  const next = client.nextAddress(url, target, out);
  if (next.origin === url.origin) return next;
  throw new CopyError(
    "registry_unavailable",
    `${client.registry} has the next page of a list at another host, which is not asked`,
    client.blame(out),
  );
}

/** The target whose relation is `next`. */
function nextIn(link: string): string | undefined {
  for (const [, target, parameters = ""] of link.matchAll(/<([^<>]*)>([^<>]*)/g))
    if (/;\s*rel="?next"?\s*([;,]|$)/i.test(parameters)) return target;
  return undefined;
}
