// What the test registry knows of referrers (OCI distribution-spec, "Listing Referrers").

import type { ServerResponse } from "node:http";
import type { Digest } from "../../src/image/digest.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import type { StoredManifest } from "./registry-content.ts";
import type { Quirk } from "./registry-http.ts";

type Quirks = ReadonlySet<Quirk>;

export const listsReferrers = (quirks: Quirks): boolean =>
  !quirks.has("no-referrers") && !quirks.has("subject-without-referrers");

/** Whether the answer to a manifest with a subject has the `OCI-Subject` header. */
export const notesSubjects = (quirks: Quirks): boolean =>
  !quirks.has("no-referrers") && !quirks.has("referrers-elsewhere");

interface Document {
  readonly subject?: { readonly digest?: string };
  readonly config?: { readonly mediaType?: string };
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const documentOf = ({ bytes }: StoredManifest): Document =>
  JSON.parse(bytes.toString()) as Document;

/** The subject of a manifest that has one. */
export const subjectOf = (manifest: StoredManifest): string | undefined =>
  documentOf(manifest).subject?.digest;

/** Descriptors of what refers to a digest, in the order of their digests, so that pages fit together. */
function referrersOf(manifests: readonly StoredManifest[], subject: string): readonly object[] {
  return manifests
    .filter((manifest) => subjectOf(manifest) === subject)
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    .map((manifest) => {
      const { artifactType, config, annotations } = documentOf(manifest);
      const { mediaType, digest, bytes } = manifest;
      return {
        mediaType,
        digest,
        size: bytes.length,
        artifactType: artifactType || config?.mediaType,
        annotations,
      };
    });
}

/** One page of the list, filtered if the client wishes so. */
export function answerReferrers(
  response: ServerResponse,
  url: URL,
  manifests: readonly StoredManifest[],
  subject: string,
  perPage: number,
): void {
  const filter = url.searchParams.get("artifactType");
  const last = url.searchParams.get("last") ?? "";
  const left = (
    referrersOf(manifests, subject) as readonly { digest: Digest; artifactType?: string }[]
  ).filter((r) => r.digest > last && (filter === null || r.artifactType === filter));
  const page = left.slice(0, perPage);
  if (filter !== null) response.setHeader("OCI-Filters-Applied", "artifactType");
  const next = new URLSearchParams(url.searchParams);
  next.set("last", page.at(-1)?.digest ?? "");
  if (page.length < left.length)
    response.setHeader("Link", `<${url.pathname}?${next.toString()}>; rel="next"`);
  response
    .writeHead(200, { "Content-Type": OCI_INDEX })
    .end(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: page }));
}
