// Blobs that need not be moved because the cluster knows them, and blobs that several copies want at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlobInfoCache } from "../../src/copy/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { Flight } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Digest } from "../../src/image/digest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { OCI_LAYER } from "../../src/image/media-types.ts";
import { MemoryBlobInfoCache } from "../support/blob-info-cache.ts";
import { never } from "../support/bytes.ts";
import { copy, host, type Copied } from "../support/copying.ts";
import { makeImage } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";
import { DEFAULTS } from "../support/options.ts";

const registry = "registry.example";
const at = (repository: string) => ({ registry, repository });
const compressing = (repository: string) =>
  new MemoryDestination({ traits: { layers: "compress" }, location: at(repository) });

const reasons = ({ events }: Copied) =>
  events.flatMap((e) => (e.type === "blob-skipped" ? [e.reason] : []));
const with_ = (
  source: MemorySource,
  destination: MemoryDestination,
  cache: BlobInfoCache,
  options = {},
  compression = {},
) => copy(source, destination, options, 100, undefined, { cache, compression });

test("a blob that was seen in another repository of the registry is mounted from there", async () => {
  const cache = new MemoryBlobInfoCache();
  const image = makeImage();
  await with_(new MemorySource(image), compressing("a"), cache);
  const destination = compressing("b");
  for (const digest of image.blobs.keys()) destination.mountable.add(digest);
  assert.deepEqual(reasons(await with_(new MemorySource(image), destination, cache)), [
    "mounted",
    "mounted",
    "mounted",
  ]);
});

test("a registry that does not mount is asked once a blob", async () => {
  const cache = new MemoryBlobInfoCache();
  const image = makeImage({ layers: 1 });
  for (const name of ["a", "b", "c"])
    await with_(new MemorySource(image), compressing(name), cache);
  const destination = compressing("d");
  let asked = 0;
  destination.mountBlob = async () => {
    asked++;
    return false;
  };
  await with_(new MemorySource(image), destination, cache);
  assert.equal(asked, image.blobs.size);
});

test("a layer that was compressed before is not compressed again: what it became takes its place", async () => {
  const cache = new MemoryBlobInfoCache();
  const image = makeImage({ compression: "none" });
  const first = compressing("a");
  const { result } = await with_(new MemorySource(image), first, cache);
  const second = compressing("b");
  for (const digest of first.blobs.keys()) second.mountable.add(digest);
  const again = await with_(new MemorySource(image), second, cache);
  assert.equal(again.result.digest, result.digest);
  assert.deepEqual(second.manifests.get("top")?.bytes, first.manifests.get("top")?.bytes);
  assert.equal([...second.blobs.keys()].length, 0);
});

test("another compression takes a layer's place only where the format is not insisted on, and never where nothing may change", async () => {
  const cache = new MemoryBlobInfoCache();
  const image = makeImage();
  const first = compressing("a");
  await with_(new MemorySource(image), first, cache, {}, { format: "zstd" });
  const types = (destination: MemoryDestination) =>
    parseImage(destination.manifests.get("top") ?? assert.fail()).layers.map(({ mediaType }) =>
      mediaType.slice(OCI_LAYER.length),
    );
  assert.deepEqual(types(first), ["+zstd", "+zstd"]);
  const offering = (name: string) => {
    const destination = compressing(name);
    for (const digest of first.blobs.keys()) destination.mountable.add(digest);
    return destination;
  };
  const free = offering("b");
  await with_(new MemorySource(image), free, cache);
  assert.deepEqual(types(free), ["+zstd", "+zstd"]);
  const forced = offering("c");
  await with_(
    new MemorySource(image),
    forced,
    cache,
    { forceCompressionFormat: true },
    { format: "gzip" },
  );
  assert.deepEqual(types(forced), ["+gzip", "+gzip"]);
  const preserved = offering("d");
  await with_(new MemorySource(image), preserved, cache, { preserveDigests: true });
  assert.deepEqual(types(preserved), ["+gzip", "+gzip"]);
});

test("nothing is learnt of a blob that fails, nor that a stranger's layer is zstd:chunked", async () => {
  const cache = new MemoryBlobInfoCache();
  const image = makeImage({ layers: 1 });
  const [layer] = image.layers;
  const source = new MemorySource(image);
  source.blobs.set(layer?.digest as Digest, Buffer.from("other bytes"));
  await assert.rejects(with_(source, compressing("a"), cache));
  assert.equal(await cache.uncompressedOf(layer?.digest as Digest), undefined);
  assert.deepEqual(
    await cache.candidates(layer?.digest as Digest, { registry, substitutes: true }),
    [],
  );
});

/** One leader a name, in this process. */
function makeFlights() {
  const running = new Map<string, Promise<unknown>>();
  const led: string[] = [];
  const flight = (name: string): Flight => ({
    lead: async (task) => {
      if (running.has(name)) return undefined;
      led.push(name);
      const done = task();
      running.set(name, done);
      return done.finally(() => running.delete(name));
    },
    ended: async () => void (await running.get(name)?.catch(() => {})),
  });
  return { flight, led };
}

test("of copies that want one blob in one place at the same time one moves it, and the others find it", async () => {
  const image = makeImage({ layers: [300_000, 10] });
  const { flight, led } = makeFlights();
  const destination = compressing("a");
  let stored = 0;
  destination.whileStoring = async (digest) => {
    if (digest === image.layers[0]?.digest) stored++;
    await new Promise((resolve) => setImmediate(resolve));
  };
  const blobs = new LocalSemaphore(4);
  const { cache, ...ends } = { cache: new MemoryBlobInfoCache(), destination, platform: {}, host };
  await Promise.all(
    Array.from({ length: 8 }, () =>
      copyImage({ ...ends, source: new MemorySource(image), compression: {}, cache }, DEFAULTS, {
        blobs,
        flight,
        report: () => {},
        signal: never,
      }),
    ),
  );
  assert.equal(stored, 1);
  assert.deepEqual(led, [`${registry}/a@${image.layers[0]?.digest}`]);
});

test("where the one that moves a blob fails, the next one moves it", async () => {
  const image = makeImage({ layers: [300_000] });
  const { flight } = makeFlights();
  const destination = compressing("a");
  const broken = new MemorySource(image);
  broken.blobs.set(image.layers[0]?.digest as Digest, Buffer.alloc(300_000));
  const run = (source: MemorySource) =>
    copyImage(
      {
        source,
        destination,
        platform: {},
        host,
        compression: {},
        cache: new MemoryBlobInfoCache(),
      },
      DEFAULTS,
      { blobs: new LocalSemaphore(4), flight, report: () => {}, signal: never },
    );
  const [bad, good] = await Promise.allSettled([run(broken), run(new MemorySource(image))]);
  assert.equal(bad.status, "rejected");
  assert.equal(good.status, "fulfilled");
});
