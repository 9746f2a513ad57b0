// Blobs named by SHA-384 and SHA-512 keep their names wherever they go, and are checked by them (a decided difference).

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { Destination } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Descriptor } from "../../src/image/blob-info.ts";
import { digestOf, hexOf, type Algorithm, type Digest } from "../../src/image/digest.ts";
import { accessTo, filesBelow, makeDataDir, never, openDestination } from "../support/folders.ts";
import { makeImage, type TestImage } from "../support/images.ts";
import { MemorySource } from "../support/memory.ts";
import { DEFAULTS } from "../support/options.ts";
import { startRegistry } from "../support/registry.ts";
import { openDestination as openRegistry, registriesFor } from "../transport/docker-setup.ts";

/** The same image, its config and layers named by another algorithm. */
function renamed(image: TestImage, algorithm: Algorithm): TestImage {
  const bytesOf = ({ digest }: Descriptor) => image.blobs.get(digest) ?? assert.fail();
  const rename = (blob: Descriptor) => ({ ...blob, digest: digestOf(bytesOf(blob), algorithm) });
  const [config, layers] = [rename(image.config), image.layers.map(rename)];
  const { mediaType } = image.manifest;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  const blobs = new Map([
    [config.digest, bytesOf(image.config)],
    ...image.layers.map((layer, i) => [layers[i]?.digest as Digest, bytesOf(layer)] as const),
  ]);
  return {
    ...image,
    manifest: { mediaType, bytes },
    digest: digestOf(bytes),
    config,
    layers,
    blobs,
  };
}

const copy = (source: MemorySource, destination: Destination) =>
  copyImage(
    {
      source,
      destination,
      platform: {},
      host: { os: "linux", architecture: "amd64" },
      compression: {},
      cache: NO_CACHE,
    },
    DEFAULTS,
    { blobs: new LocalSemaphore(6), report: () => {}, signal: never },
  );

/** What a kind of destination has of these blobs. */
const DESTINATIONS = {
  docker: async (t: TestContext) => {
    const registry = await startRegistry();
    t.after(() => registry[Symbol.asyncDispose]());
    const destination = await openRegistry(`${registry.host}/a:v1`, {
      registries: registriesFor(t),
    });
    const has = async (digest: Digest) => registry.blob("a", digest) !== undefined;
    return { destination, has };
  },
  oci: (t: TestContext) =>
    inFolder(t, "oci:to:v1", (digest) => `blobs/${digest.replace(":", "/")}`),
  dir: (t: TestContext) =>
    inFolder(t, "dir:to", (digest) => `${digest.slice(0, 6)}-${hexOf(digest)}`),
};

async function inFolder(t: TestContext, reference: string, nameOf: (digest: Digest) => string) {
  const dir = await makeDataDir();
  t.after(() => dir[Symbol.asyncDispose]());
  const destination = await openDestination(reference, accessTo(dir.path, "destination"));
  const has = async (digest: Digest) =>
    (await filesBelow(dir.path)).includes(`to/${nameOf(digest)}`);
  return { destination, has };
}

for (const algorithm of ["sha384", "sha512"] as const)
  for (const [kind, make] of Object.entries(DESTINATIONS))
    test(`${kind}: keeps blobs named by ${algorithm} under their names, and takes none with other content`, async (t) => {
      const image = renamed(makeImage(), algorithm);
      const { destination, has } = await make(t);
      const source = new MemorySource(image);
      const wrong = new MemorySource(image);
      const [layer = assert.fail()] = image.layers;
      wrong.blobs.set(layer.digest, Buffer.alloc(layer.size));
      await assert.rejects(copy(wrong, destination), { code: "digest_mismatch" });
      assert.equal(await has(layer.digest), false);
      const { manifest, digest } = await copy(source, destination);
      assert.deepEqual([manifest?.bytes, digest], [image.manifest.bytes, image.digest]);
      for (const named of image.blobs.keys()) assert.ok(await has(named), named);
    });
