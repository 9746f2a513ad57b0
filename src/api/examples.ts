// Examples for openapi.yaml; the linter holds them to the schemas.

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
