// Examples for openapi.yaml; the linter holds them to the schemas.

import type { CopyPlan } from "../copy/plan.ts";
import type { Problem } from "../jobs/record.ts";
import type { JobView } from "../jobs/view.ts";

const SOURCE = "docker://registry.example.com/team/app:1.2";
const DESTINATION = "docker://mirror.example.com/team/app:1.2";
const ID = "01m85vv87q559zs7qz21tv49ps";
const DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

export const REQUESTS: readonly object[] = [
  {
    source: SOURCE,
    destination: DESTINATION,
    options: { imageListSelection: "all" },
    destinationContext: { auth: { username: "robot", password: "correct horse" } },
    labels: { team: "payments" },
  },
  {
    source: SOURCE,
    destination: "oci:images/app:1.2",
    options: { imageListSelection: "specific", platforms: ["linux/arm64/v8"], ifTagExists: "skip" },
    priority: 1,
  },
];

export const JOB: JobView = {
  id: ID,
  status: "succeeded",
  source: SOURCE,
  destination: DESTINATION,
  options: {
    imageListSelection: "all",
    instances: [],
    platforms: [],
    sparseManifestListAction: "keep",
    preferGzipInstances: false,
    removeListSignatures: false,
    forceCompressionFormat: false,
    ensureCompressionVariantsExist: [],
    additionalTags: [],
    referrers: false,
    preserveDigests: false,
    removeSignatures: false,
    maxParallelDownloads: 6,
    optimizeDestinationImageAlreadyExists: false,
    downloadForeignLayers: false,
    ifTagExists: "overwrite",
    progressIntervalMs: 1000,
  },
  labels: { team: "payments" },
  batch: null,
  attempt: 1,
  attempts: 3,
  createdAt: "2026-01-01T00:00:00.000Z",
  startedAt: "2026-01-01T00:00:00.250Z",
  finishedAt: "2026-01-01T00:00:03.250Z",
  parkedUntil: null,
  progress: {
    bytesTotal: 31_457_280,
    bytesDone: 31_457_280,
    blobsTotal: 8,
    blobsCopied: 5,
    blobsReused: 2,
    blobsMounted: 1,
  },
  result: {
    sourceDigest: DIGEST,
    manifestDigest: DIGEST,
    manifestMediaType: "application/vnd.oci.image.index.v1+json",
    signatures: 0,
    referrers: 0,
    skipped: false,
    durationMs: 3000,
    bytesCopied: 20_971_520,
  },
  error: null,
  links: {
    self: `/v1/jobs/${ID}`,
    events: `/v1/jobs/${ID}/events`,
    manifest: `/v1/jobs/${ID}/manifest`,
  },
};

const INSTANCE = "sha256:5d3a5b8c1d7cf0d8b0a9b9c3f6a1e2d4c5b6a7980f1e2d3c4b5a69788796a5b4";
const PLATFORM = { os: "linux", architecture: "amd64" };
const OCI = "application/vnd.oci.image";
const CONFIG = {
  digest: "sha256:0a21bc7c1a2b8a4ee8ac6d3fa7c0d5a1f7d6b2f1f4a6a2b3c4d5e6f708192a3b",
  size: 7023,
  mediaType: `${OCI}.config.v1+json`,
} as const;
const LAYER = {
  digest: "sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1",
  size: 31_450_257,
  mediaType: `${OCI}.layer.v1.tar+gzip`,
} as const;

export const PLAN: CopyPlan = {
  source: { digest: DIGEST, mediaType: `${OCI}.index.v1+json` },
  destination: { exists: false, digest: null },
  manifests: [
    {
      digest: INSTANCE,
      mediaType: `${OCI}.manifest.v1+json`,
      platform: PLATFORM,
      action: "copy",
      to: null,
      reason: null,
    },
  ],
  blobs: [
    { ...LAYER, kind: "layer", action: "mount", from: "team/base" },
    { ...CONFIG, kind: "config", action: "copy", from: null },
  ],
  bytes: { total: 31_457_280, toCopy: 7023, toReuse: 31_450_257 },
};

export const INSPECTION = {
  digest: DIGEST,
  mediaType: `${OCI}.index.v1+json`,
  size: 525,
  platforms: [{ ...PLATFORM, variant: null, osVersion: null, digest: INSTANCE }],
  image: INSTANCE,
  layers: [{ ...LAYER, annotations: {} }],
  config: {
    ...PLATFORM,
    variant: null,
    created: "2026-01-01T00:00:00Z",
    author: null,
    dockerVersion: null,
    labels: { "org.opencontainers.image.version": "1.2" },
    env: ["PATH=/usr/local/bin:/usr/bin"],
    entrypoint: ["/app"],
    cmd: [],
  },
  signatures: [],
} as const;

export const PROBLEM: Problem = {
  type: "/docs#code-invalid_request",
  title: "The request is not valid",
  status: 400,
  detail: '/options/ifTagExists: must be one of "overwrite", "fail", "skip"',
  instance: "/v1/jobs",
  code: "invalid_request",
  retryable: false,
  errors: [
    {
      pointer: "/options/ifTagExists",
      detail: 'must be one of "overwrite", "fail", "skip"',
    },
  ],
};
