// What the test registry knows of referrers (OCI distribution-spec, "Listing Referrers").

import type { ServerResponse } from "node:http";
import type { Digest } from "../../src/image/digest.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import type { StoredManifest } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

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

/** What is listed of what refers to a manifest. */
export interface Listed {
  readonly digest: Digest;
  readonly artifactType?: string | undefined;
}

export class ReferrerLists {
  readonly #quirks: Quirks;
  /** By subject: what was listed first. */
  readonly #old = new Map<string, readonly Listed[]>();

  constructor(quirks: Quirks) {
    this.#quirks = quirks;
  }

  /** In the order of their digests, so that pages fit together. */
  of(repository: string, subject: string, manifests: readonly StoredManifest[]): readonly Listed[] {
    const name = `${repository}@${subject}`;
    const old = this.#old.get(name);
    if (old !== undefined && this.#quirks.has("old-referrers")) return old;
    const listed = manifests
      .filter((manifest) => subjectOf(manifest) === subject)
      .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
      .map((manifest) => this.#entryOf(manifest));
    this.#old.set(name, listed);
    return listed;
  }

  #entryOf(manifest: StoredManifest): Listed {
    const { artifactType, config, annotations } = documentOf(manifest);
    const { mediaType, digest, bytes } = manifest;
    const more = this.#quirks.has("wrong-referrer-sizes") ? 1_000 : 0;
    const size = bytes.length + more;
    return Object.assign(
      { mediaType, digest, size },
      { artifactType: artifactType || config?.mediaType, annotations },
    );
  }
}

/** One page of the list, filtered if the client wishes so. */
export function answerReferrers(
  response: ServerResponse,
  url: URL,
  listed: readonly Listed[],
  perPage: number,
): void {
  const filter = url.searchParams.get("artifactType");
  const last = url.searchParams.get("last") ?? "";
  const left = listed.filter(
    (each) => each.digest > last && (filter === null || each.artifactType === filter),
  );
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
