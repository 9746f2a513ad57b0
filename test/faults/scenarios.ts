// The copies under which faults come, and the names of their requests: between them they send every request that a copy can send.

import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { openDockerDestination } from "../../src/transport/docker/destination.ts";
import type { Registries } from "../../src/transport/docker/registries.ts";
import { openDockerSource } from "../../src/transport/docker/source.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import type { CompressionWish } from "../../src/copy/options.ts";
import { makeArtifact } from "../support/artifacts.ts";
import type { Naming, Script } from "../support/fault-script.ts";
import { accessTo } from "../support/folders.ts";
import { makeImage, makeList, type TestImage, type TestList } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";
import type { RequestHead } from "../support/raw-http.ts";
import { routeOf } from "../support/registry-http.ts";

/** Where an image is; `host` is the proxy's. */
export interface Place {
  readonly host: string;
  readonly repository: string;
}

export interface Scenario {
  readonly name: string;
  /** At the source, as `v1`. */
  readonly image: TestImage | TestList;
  readonly artifacts?: readonly TestImage[];
  readonly options?: Partial<CopyOptions>;
  readonly compression?: CompressionWish;
  /** Both ends are one registry. */
  readonly mounts?: boolean;
  /** The destination's repository is known to have something, so that the image is looked for there. */
  readonly isUsed?: boolean;
  /** Nothing is copied: the source's tags are listed. */
  readonly lists?: boolean;
  /** It begins without tokens; else they are at hand, so that requests at once need not each ask for them. */
  readonly fresh?: boolean;
  readonly credentials?: AccessContext["credentials"];
  /** Goes wrong at the destination in any case: some requests come only then. */
  readonly trouble?: Script;
}

const LAYERS = [90_000, 130_000, 70_000];
const images = ["a", "b", "c"].map((seed, i) =>
  makeImage({
    seed,
    layers: [LAYERS[i] ?? 0],
    platform: { os: "linux", architecture: ["amd64", "arm64", "s390x"][i] ?? "" },
  }),
);
const single = makeImage({ seed: "single", layers: LAYERS });
/** Of the repository whose tags are listed. */
export const TAG_NAMES = ["v1", "v2", "v3"];
export const USER = { username: "user", password: "passw0rd-s3cret" } as const;
export const IDENTITY_TOKEN = "identity-s3cret";

export const SCENARIOS = {
  /** Three images and their list; the tag is looked at first. */
  list: {
    name: "list",
    image: makeList(images),
    options: { imageListSelection: "all", ifTagExists: "overwrite" },
  },
  used: {
    name: "used",
    image: makeList(images),
    options: { imageListSelection: "all" },
    isUsed: true,
  },
  /** Five blobs, with the config. */
  five: {
    name: "five",
    image: makeImage({ seed: "five", layers: [...LAYERS, 50_000] }),
    options: { ifTagExists: "overwrite" },
  },
  /** Layers that are worth a raw socket (connections.ts). */
  large: {
    name: "large",
    image: makeImage({ seed: "large", layers: [1_300_000, 1_100_000, 1_200_000] }),
  },
  /** Layers whose digests are not known before they are sent. */
  converted: {
    name: "converted",
    image: makeImage({ seed: "converted", layers: 3 }),
    compression: { format: "zstd" },
    options: { forceCompressionFormat: true },
  },
  mounted: { name: "mounted", image: single, mounts: true },
  referrers: {
    name: "referrers",
    image: single,
    artifacts: [0, 1, 2].map((i) => makeArtifact(single, { seed: `artifact ${i}` })),
    options: { referrers: true },
  },
  /** A layer breaks off, so that the registry is asked how far it is. */
  asked: {
    name: "asked",
    image: single,
    trouble: {
      kind: "PUT upload",
      nth: 2,
      times: 1,
      fault: { type: "break", how: "reset", at: "request" },
    },
  },
  /** An upload turns out to be no good, so that it is given back. */
  given: {
    name: "given",
    image: single,
    trouble: {
      kind: "PUT upload",
      nth: 2,
      times: 1,
      fault: { type: "status", status: 400, code: "BLOB_UPLOAD_INVALID" },
    },
  },
  guarded: { name: "guarded", image: single, options: { ifTagExists: "fail" } },
  /** One artifact, or several would ask at once whether there is a list of them. */
  referrer: {
    name: "referrer",
    image: single,
    artifacts: [makeArtifact(single)],
    options: { referrers: true },
  },
  fresh: { name: "fresh", image: single, fresh: true },
  identity: {
    name: "identity",
    image: single,
    fresh: true,
    credentials: { identityToken: IDENTITY_TOKEN },
  },
  tags: { name: "tags", image: single, lists: true },
} as const satisfies Record<string, Scenario>;

/**
 * The kind of a request, and which of that kind it is: by what it is about, so that a second try is known for one. Blobs are moved one
 * after the other here, so that uploads need no subject.
 */
export function nameOf({ method, path }: RequestHead): Naming {
  const url = new URL(path, "http://proxy");
  const { kind, ref } = routeOf(url.pathname) ?? { kind: "base", ref: "" };
  const named = (what: string, subject?: string): Naming => ({
    kind: `${method} ${what}`,
    subject,
  });
  switch (kind) {
    case "manifests":
      return named(ref.includes(":") ? "manifest by digest" : "manifest by tag", ref);
    case "blobs":
      return named("blob", ref);
    case "uploads":
      return url.searchParams.has("mount")
        ? named("mount", url.searchParams.get("mount") ?? "")
        : named("upload", url.searchParams.get("digest") ?? undefined);
    case "tags":
      return named("tags", url.search);
    case "token":
      return named("token", url.searchParams.getAll("scope").join(" "));
    case "referrers":
      return named("referrers", ref);
    case "base":
      return named("base");
  }
}

export interface Ends {
  readonly registries: Registries;
  /** The authority of both, in PEM; absent: they speak no TLS. */
  readonly ca?: string | undefined;
  readonly source: Place;
  readonly destination: Place;
}

const referenceTo = ({ host, repository }: Place) => {
  const text = `${host}/${repository}:v1`;
  return parseDockerReference(text, text);
};

const accessesOf = ({ credentials = USER }: Scenario, { registries, ca }: Ends) => {
  const tls = ca === undefined ? { tlsVerify: false } : { tlsVerify: true, caCertificates: ca };
  const more = { registries, credentials, ...tls };
  return {
    source: accessTo("/nonexistent", "source", more),
    destination: accessTo("/nonexistent", "destination", more),
  };
};

/** Asks each end for something, so that there are tokens for it. */
export async function warm(scenario: Scenario, ends: Ends, signal: AbortSignal): Promise<void> {
  const access = accessesOf(scenario, ends);
  await using from = await openDockerSource(referenceTo(ends.source), access.source, signal);
  await from.getManifest(undefined, signal);
  const { destination } = ends;
  await using to = await openDockerDestination(
    referenceTo(destination),
    access.destination,
    signal,
  );
  await to.findManifest(undefined, signal);
}

/** Runs the copy, or the listing. Throws what they throw. */
export async function run(scenario: Scenario, ends: Ends, signal: AbortSignal): Promise<void> {
  const { options, compression = {}, lists, isUsed } = scenario;
  const access = accessesOf(scenario, ends);
  if (lists) {
    const tags = await listDockerTags(referenceTo(ends.source), access.source, signal);
    if (tags.length !== TAG_NAMES.length) throw new Error(`${tags.length} tags`);
    return;
  }
  const { host, repository } = ends.destination;
  if (isUsed) ends.registries.filled.set(`${host}/${repository}`, true);
  await using from = await openDockerSource(referenceTo(ends.source), access.source, signal);
  await using to = await openDockerDestination(
    referenceTo(ends.destination),
    access.destination,
    signal,
  );
  await copyImage(
    {
      source: from,
      destination: to,
      platform: {},
      host: { os: "linux", architecture: "amd64" },
      compression,
      cache: NO_CACHE,
    },
    { ...DEFAULTS, maxParallelDownloads: 1, ...options },
    { blobs: new LocalSemaphore(1), report: () => {}, signal },
  );
}
