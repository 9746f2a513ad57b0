// What is known of registries in advance: a row for each, with where it is known from. Consumers read the facts, not the names. Most of what
// registries do otherwise is taken from any of them without being known (docs/registries.md has the whole list): a fact is what saves
// requests that would fail, or what cannot be found out by trying.

import type { UploadNeeds } from "./upload/upload-mode.ts";

export interface Quirks {
  /** Until the registry says otherwise. */
  readonly uploads: UploadNeeds;
  /** The token service looks at one scope of those that it is asked for: a token for a mount would not allow the upload either. */
  readonly oneScopePerToken: boolean;
}

interface Row {
  readonly registry: string;
  /** `host`, or `*.domain` for every name below it; without ports. */
  readonly hosts: readonly string[];
  readonly facts: Partial<Quirks>;
  /** Where this bit somebody, or is written. */
  readonly sources: readonly string[];
}

const GIB = 1024 ** 3;

export const QUIRKS: readonly Row[] = [
  {
    registry: "Google Artifact Registry",
    hosts: ["*.pkg.dev", "gcr.io", "*.gcr.io"],
    // There are no chunked uploads, so that all bytes of a rest would be sent to be refused.
    facts: { uploads: { beginsAnew: true } },
    sources: ["dotnet/sdk-container-builds#287", "kitops-ml/kitops#777"],
  },
  {
    registry: "Artifactory",
    hosts: ["*.jfrog.io"],
    // Of several chunks it has kept the last, and said that all was stored.
    facts: { uploads: { beginsAnew: true } },
    sources: ["wasmCloud/wasmCloud#3405"],
  },
  {
    registry: "Quay",
    hosts: ["quay.io"],
    // A single PUT of more than 20 GB is refused; the same blob in pieces is taken.
    facts: { uploads: { pieceBytes: 5 * GIB, above: 10 * GIB } },
    sources: ["quay/quay#6510", "oras-project/oras-py#137"],
  },
  {
    registry: "GitLab",
    hosts: ["registry.gitlab.com"],
    facts: { oneScopePerToken: true },
    sources: ["estesp/manifest-tool#53", "moby/moby#33558"],
  },
];

const NOTHING_KNOWN: Quirks = { uploads: {}, oneScopePerToken: false };

/** What is known of a registry, `host[:port]`. */
export function quirksOf(registry: string): Quirks {
  const host = registry.replace(/:\d+$/, "").toLowerCase();
  const row = QUIRKS.find(({ hosts }) => hosts.some((pattern) => matches(host, pattern)));
  return { ...NOTHING_KNOWN, ...row?.facts };
}

const matches = (host: string, pattern: string): boolean =>
  pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
