// The test registry as the registries of the world: what each is known to do otherwise (field notes in docs/registries.md), scaled down
// where the real limit is large.

import type { RegistryAuth } from "./registry-auth.ts";
import type { Fault, Kind } from "./registry-http.ts";
import type { Quirk } from "./registry-quirks.ts";

export interface Profile {
  readonly registry: string;
  readonly quirks: readonly Quirk[];
  readonly auth?: RegistryAuth;
  /** Moments that it has: each is met once. */
  readonly moments?: Readonly<Record<`${string} ${Kind}`, Fault>>;
}

const PASSWORD = { username: "user", password: "s3cret" } as const;
const TOKENS: RegistryAuth = { kind: "bearer", ...PASSWORD };

const once = (status: number, more: Fault = {}): Fault => ({ times: 1, status, ...more });
const BUSY = once(429, { code: "TOOMANYREQUESTS", headers: { "retry-after": "0" } });

export const PROFILES: readonly Profile[] = [
  {
    registry: "Amazon ECR",
    auth: { kind: "basic", ...PASSWORD },
    quirks: [
      "no-docker-content-digest",
      "no-manifest-location",
      "subject-without-referrers",
      "relative-location",
    ],
  },
  {
    registry: "Google Artifact Registry",
    auth: TOKENS,
    quirks: ["odd-upload-location", "redirect-blobs"],
    moments: { "HEAD manifests": BUSY },
  },
  {
    registry: "Google Container Registry",
    auth: { ...TOKENS, silent: true },
    quirks: ["redirect-blobs"],
  },
  {
    registry: "GitHub (ghcr.io)",
    auth: TOKENS,
    quirks: ["small-chunks", "relative-location", "referrers-elsewhere", "redirect-blobs"],
    moments: {
      "GET blobs": once(429, {
        body: "toomanyrequests: retry-after: 185.361µs, allowed: 44000/minute",
      }),
    },
  },
  {
    registry: "Azure Container Registry",
    auth: TOKENS,
    quirks: ["redirect-blobs", "relative-location"],
    moments: { "PUT manifests": BUSY },
  },
  {
    registry: "Docker Hub",
    auth: TOKENS,
    quirks: ["redirect-blobs", "no-mount", "no-referrers"],
    moments: { "GET manifests": once(503) },
  },
  {
    registry: "Quay",
    auth: TOKENS,
    quirks: ["redirect-blobs", "content-type-parameters"],
    moments: { "POST uploads": once(502) },
  },
  {
    registry: "GitLab",
    auth: { ...TOKENS, expiresIn: 60 },
    quirks: ["one-scope", "hides-missing", "no-referrers", "dash-is-digest"],
  },
  {
    registry: "Artifactory",
    auth: { kind: "basic", ...PASSWORD },
    quirks: ["hides-missing", "redirect-blobs"],
  },
  {
    registry: "Nexus",
    auth: { kind: "basic", ...PASSWORD },
    quirks: ["no-docker-content-digest", "no-referrers"],
  },
  {
    registry: "Harbor",
    auth: TOKENS,
    quirks: ["unknown-for-missing"],
    moments: { "PUT uploads": once(404, { code: "BLOB_UPLOAD_INVALID" }) },
  },
  {
    registry: "Red Hat",
    auth: TOKENS,
    quirks: ["no-docker-content-digest", "redirect-blobs"],
    moments: { "GET manifests": once(502) },
  },
  { registry: "distribution 2", quirks: ["no-referrers"] },
  { registry: "distribution 3", auth: TOKENS, quirks: ["no-referrers", "relative-location"] },
  { registry: "zot", quirks: ["relative-location"] },
];

/** What a client of it sends. */
export const credentialsFor = ({ auth }: Profile) => (auth === undefined ? undefined : PASSWORD);
