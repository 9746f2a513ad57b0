// The test registry as the registries of the world: what each is known to do otherwise (field notes in docs/registries.md), scaled down
// where the real limit is large.

import type { RegistryAuth } from "./registry-auth.ts";
import type { Fault, Kind } from "./registry-http.ts";
import type { LimitOptions } from "./registry-limits.ts";
import type { Quirk } from "./registry-quirks.ts";

export interface Profile {
  readonly registry: string;
  /** Met by whoever copies into it, again, across it and out of it. */
  readonly quirks: readonly Quirk[];
  /** Never met by who is careful, or has had the repositories made. */
  readonly avoided?: readonly Quirk[];
  readonly auth?: RegistryAuth;
  readonly limits?: LimitOptions;
  /** Moments that it has: each is met as often as it says. */
  readonly moments?: readonly (readonly [what: `${string} ${Kind}`, Fault])[];
  /** Requests that the same copies take here beyond those at a registry that has no quirks; negative: that they do without. */
  readonly costs: Readonly<Record<string, number>>;
}

const MIB = 1024 * 1024;
const PASSWORD = { username: "user", password: "s3cret" } as const;
const TOKENS: RegistryAuth = { kind: "bearer", ...PASSWORD };

const once = (status: number, more: Fault = {}): Fault => ({ times: 1, status, ...more });
const BUSY = once(429, { code: "TOOMANYREQUESTS", headers: { "retry-after": "0" } });
/** A large blob's request is cut short. */
const BREAK: Fault = { times: 1, reset: MIB, least: 2 * MIB };

/** Blobs that are read are read elsewhere. */
const REDIRECTED = { "GET blobs elsewhere": 9 } as const;
/** What refers to an image is listed under a tag: read before it is written, and read again after. */
const BY_TAG = { "GET manifests": 16, "GET referrers": -14, "PUT manifests": 2 } as const;

export const PROFILES: readonly Profile[] = [
  {
    registry: "Amazon ECR",
    auth: { kind: "basic", ...PASSWORD },
    quirks: [
      "no-docker-content-digest",
      "no-manifest-location",
      "subject-without-referrers",
      "relative-location",
      "stale-range",
      "patch-created",
      "immutable-tags",
    ],
    avoided: ["no-new-repositories", "wants-media-type", "small-pages"],
    moments: [["PUT uploads", BREAK]],
    costs: {
      "GET manifests": 17,
      "GET referrers": -8,
      "GET uploads": 1,
      "HEAD blobs": 1,
      "HEAD manifests": 1,
      "PATCH uploads": 1,
      "PUT manifests": 2,
      "PUT uploads": 1,
    },
  },
  {
    registry: "Google Artifact Registry",
    auth: TOKENS,
    quirks: ["odd-upload-location", "long-location", "redirect-paths", "no-chunks"],
    moments: [
      ["HEAD manifests", { ...BUSY, after: 4 }],
      ["PUT uploads", BREAK],
    ],
    costs: {
      "DELETE uploads": 1,
      "GET blobs": 9,
      "GET uploads": 1,
      "HEAD manifests": 1,
      "PATCH uploads": 1,
      "POST uploads": 1,
      "PUT uploads": 1,
    },
  },
  {
    registry: "Google Container Registry",
    auth: { ...TOKENS, silent: true },
    quirks: ["redirect-blobs"],
    costs: { ...REDIRECTED },
  },
  {
    registry: "GitHub (ghcr.io)",
    auth: TOKENS,
    quirks: ["small-chunks", "relative-location", "referrers-elsewhere", "redirect-blobs"],
    moments: [
      ["PUT uploads", BREAK],
      [
        "GET blobs",
        once(429, { body: "toomanyrequests: retry-after: 185.361µs, allowed: 44000/minute" }),
      ],
    ],
    costs: {
      ...REDIRECTED,
      ...BY_TAG,
      "GET blobs": 1,
      "GET referrers elsewhere": 2,
      "GET uploads": 2,
      "HEAD blobs": 1,
      "PATCH uploads": 4,
      "PUT uploads": 1,
    },
  },
  {
    registry: "Azure Container Registry",
    auth: TOKENS,
    quirks: ["redirect-blobs", "relative-location", "long-location"],
    avoided: ["small-headers"],
    moments: [["PUT manifests", { ...BUSY, after: 12 }]],
    costs: { ...REDIRECTED, "PUT manifests": 1 },
  },
  {
    registry: "Docker Hub",
    auth: TOKENS,
    quirks: ["redirect-blobs", "no-mount", "no-referrers"],
    avoided: ["image-for-list", "refuses-foreign"],
    limits: { pulls: { limit: 100, windowSeconds: 21_600 } },
    moments: [["GET manifests", once(503)]],
    costs: {
      "GET blobs elsewhere": 18,
      "GET blobs": 9,
      "GET manifests": 17,
      "GET referrers": -14,
      "HEAD blobs": 9,
      "PUT manifests": 2,
      "PUT uploads": 9,
    },
  },
  {
    registry: "Quay",
    auth: TOKENS,
    quirks: ["redirect-blobs", "content-type-parameters", "no-large-bodies", "old-referrers"],
    avoided: ["wants-from", "no-delete-scope"],
    moments: [["POST uploads", once(502)]],
    costs: {
      ...REDIRECTED,
      "GET uploads": 1,
      "HEAD blobs": 1,
      "PATCH uploads": 3,
      "POST uploads": 1,
      "PUT uploads": 1,
    },
  },
  {
    registry: "GitLab",
    auth: { ...TOKENS, expiresIn: 60 },
    quirks: ["one-scope", "hides-missing", "no-referrers", "dash-is-digest"],
    costs: {
      ...BY_TAG,
      "GET blobs": 9,
      "GET token": 1,
      "HEAD blobs": 9,
      "POST uploads": 2,
      "PUT uploads": 9,
    },
  },
  {
    registry: "Artifactory",
    auth: { kind: "basic", ...PASSWORD },
    quirks: ["hides-missing", "redirect-blobs", "keeps-last-chunk", "immutable-tags"],
    moments: [["PUT uploads", BREAK]],
    costs: {
      ...REDIRECTED,
      "GET uploads": 1,
      "HEAD blobs": 1,
      "HEAD manifests": 1,
      "PATCH uploads": 1,
      "POST uploads": 1,
      "PUT uploads": 2,
    },
  },
  {
    registry: "Artifactory 6",
    auth: { kind: "basic", ...PASSWORD },
    quirks: ["hides-missing", "wants-patch"],
    costs: { "GET uploads": 1, "PATCH uploads": 9, "PUT uploads": 1 },
  },
  {
    registry: "Nexus",
    auth: { kind: "basic", ...PASSWORD },
    quirks: ["no-docker-content-digest", "no-referrers", "immutable-tags"],
    costs: { "GET manifests": 17, "GET referrers": -14, "HEAD manifests": 1, "PUT manifests": 2 },
  },
  {
    registry: "Harbor",
    auth: TOKENS,
    quirks: ["unknown-for-missing", "other-length", "wrong-referrer-sizes", "immutable-tags"],
    avoided: ["denies-foreign"],
    moments: [["PUT uploads", once(404, { code: "BLOB_UPLOAD_INVALID" })]],
    costs: { "DELETE uploads": 1, "HEAD manifests": 1, "POST uploads": 1, "PUT uploads": 1 },
  },
  {
    registry: "Red Hat",
    auth: TOKENS,
    quirks: ["no-docker-content-digest", "redirect-blobs"],
    moments: [["GET manifests", once(502)]],
    costs: { ...REDIRECTED, "GET manifests": 1 },
  },
  {
    registry: "distribution 2",
    quirks: ["no-referrers", "loses-uploads"],
    moments: [["PUT uploads", BREAK]],
    costs: { ...BY_TAG, "GET uploads": 1, "POST uploads": 1, "PUT uploads": 1 },
  },
  {
    registry: "distribution 3",
    auth: TOKENS,
    quirks: ["no-referrers", "relative-location"],
    costs: { ...BY_TAG },
  },
  {
    registry: "go-containerregistry",
    quirks: ["relative-location", "no-upload-status"],
    avoided: ["closed-ranges"],
    moments: [
      ["PUT uploads", BREAK],
      ["GET blobs", { times: 1, reset: MIB }],
    ],
    costs: {
      "DELETE uploads": 1,
      "GET blobs": 1,
      "GET uploads": 1,
      "POST uploads": 1,
      "PUT uploads": 1,
    },
  },
  { registry: "zot", quirks: ["relative-location"], costs: {} },
];

/** What a client of it sends. */
export const credentialsFor = ({ auth }: Profile) => (auth === undefined ? undefined : PASSWORD);
