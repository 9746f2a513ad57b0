// What the tests of the docker transport share.

import type { TestContext } from "node:test";
import { copyImage } from "../../src/copy/copy.ts";
import type {
  BlobStream,
  CopyEnds,
  CopyResult,
  Destination,
  Source,
} from "../../src/copy/interfaces.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { fromBuffer } from "../../src/bytes.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { EgressRules } from "../../src/host/egress.ts";
import type { Descriptor } from "../../src/image/blob-info.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { openDockerDestination } from "../../src/transport/docker/destination.ts";
import {
  Registries,
  type RegistryFiles,
  type Timing,
} from "../../src/transport/docker/registries.ts";
import { openDockerSource } from "../../src/transport/docker/source.ts";
import type { UploadSessions } from "../../src/transport/docker/upload/upload-sessions.ts";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { collect } from "../support/bytes.ts";
import { host } from "../support/copying.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import type { TestImage } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";

export type Access = Partial<AccessContext> & Pick<AccessContext, "registries">;

/** How a side is reached; without TLS verification unless a test says otherwise, since the test registry speaks plain HTTP. */
const accessOf = (side: "source" | "destination", access: Access): AccessContext =>
  ({
    side,
    dataDir: "/nonexistent",
    tlsVerify: false,
    exclusive: () => new LocalSemaphore(1),
    ...access,
  }) as AccessContext;

/** Uploads that were left to a later attempt, as long as the test runs. */
export function leftUploads(): UploadSessions & { readonly left: Map<string, URL> } {
  const left = new Map<string, URL>();
  return {
    left,
    find: async ({ digest }) => left.get(digest),
    remember: async ({ digest }, url) => void left.set(digest, url),
    forget: async ({ digest }) => void left.delete(digest),
  };
}

export const never: AbortSignal = new AbortController().signal;

export const openSource = (text: string, access: Access): Promise<Source> =>
  openDockerSource(parseDockerReference(text, text), accessOf("source", access), never);

export const openDestination = (text: string, access: Access): Promise<Destination> =>
  openDockerDestination(parseDockerReference(text, text), accessOf("destination", access), never);

/** A process's registries, closed when the test ends; by default they may be on loopback, as the test registry is. */
export function registriesFor(
  t: TestContext,
  timing: Partial<Timing> = {},
  egress: Partial<EgressRules> = {},
  files: RegistryFiles = {},
): Registries {
  const registries = new Registries({ ...LOOPBACK_TOO, ...egress }, timing, files);
  t.after(() => registries[Symbol.asyncDispose]());
  return registries;
}

export async function readBlob(source: Source, blob: Descriptor): Promise<Buffer> {
  const { content } = await source.getBlob(blob, never);
  return collect(content);
}

export const blobOf = (image: TestImage, { digest }: Descriptor): Buffer => {
  const bytes = image.blobs.get(digest);
  if (bytes === undefined) throw new Error(`the image has no blob ${digest}`);
  return bytes;
};

export const streamOf = (image: TestImage, info: Descriptor): BlobStream => ({
  info,
  content: fromBuffer(blobOf(image, info)),
});

/** Copies from one registry to another, or within one; `access` says how each is reached. */
export async function copyBetween(
  from: string,
  to: string,
  access: (text: string) => Access,
  options: Partial<CopyOptions> = {},
  cache: CopyEnds["cache"] = NO_CACHE,
): Promise<CopyResult> {
  await using source = await openSource(from, access(from));
  await using destination = await openDestination(to, access(to));
  return copyImage(
    { source, destination, platform: {}, host, compression: {}, cache },
    { ...DEFAULTS, ...options },
    { blobs: new LocalSemaphore(1), report: () => {}, signal: never },
  );
}

/** All blobs, then the manifest. */
export async function putImage(destination: Destination, image: TestImage): Promise<void> {
  for (const blob of [...image.layers, image.config])
    await destination.putBlob(streamOf(image, blob), never);
  await destination.putManifest(image.manifest, undefined, never);
}
