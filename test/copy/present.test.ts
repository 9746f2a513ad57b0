import assert from "node:assert/strict";
import { test } from "node:test";
import { copyImage } from "../../src/copy/copy.ts";
import type { Flight } from "../../src/copy/interfaces.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { MemoryBlobInfoCache } from "../support/blob-info-cache.ts";
import { never } from "../support/bytes.ts";
import { copy, host, type Copied } from "../support/copying.ts";
import { makeImage, makeList } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";
import { DEFAULTS } from "../support/options.ts";

const image = makeImage({ layers: 2 });
const list = makeList([
  makeImage({ seed: "amd64" }),
  makeImage({ seed: "arm64", platform: { os: "linux", architecture: "arm64" } }),
]);
const [first, second] = list.images;
const all = { imageListSelection: "all" } as const;
const here = { registry: "r", repository: "a" };

/** A registry, as far as the engine sees one. */
const registry = () => new MemoryDestination({ traits: { checksManifests: true }, location: here });

const reasons = ({ events }: Copied) =>
  events.flatMap((event) => (event.type === "blob-skipped" ? [event.reason] : []));

test("an image whose manifest the registry has gets its tag, and no blob of it is asked for", async () => {
  const destination = registry();
  destination.manifests.set(image.digest, image.manifest);
  const source = new MemorySource(image);
  const copied = await copy(source, destination);
  assert.deepEqual(source.asked, []);
  assert.deepEqual(reasons(copied), ["exists", "exists", "exists"]);
  assert.deepEqual(destination.log, ["manifest top", "commit"]);
});

test("where a manifest may be without its blobs, each blob is asked for", async () => {
  const destination = new MemoryDestination({ location: here });
  destination.manifests.set(image.digest, image.manifest);
  const source = new MemorySource(image);
  await copy(source, destination);
  assert.equal(source.asked.length, 3);
});

const CHANGES: readonly (readonly [what: string, options: Partial<CopyOptions>])[] = [
  [
    "its manifest becomes another",
    { forceManifestMimeType: "application/vnd.docker.distribution.manifest.v2+json" },
  ],
  ["its layers become others", { forceCompressionFormat: true }],
];
for (const [what, options] of CHANGES)
  test(`an image is copied where ${what}, though its manifest is there`, async () => {
    const destination = registry();
    destination.manifests.set(image.digest, image.manifest);
    const source = new MemorySource(image);
    const compression = options.forceCompressionFormat === true ? { format: "zstd" as const } : {};
    await copy(source, destination, options, 100, undefined, { compression });
    assert.ok(source.asked.length > 0);
  });

test("an image of a list that is there already is not written again", async () => {
  const destination = registry();
  destination.manifests.set(first!.digest, first!.manifest);
  await copy(new MemorySource(list), destination, all);
  assert.deepEqual(
    destination.log.filter((line) => line.startsWith("manifest")),
    [`manifest ${second!.digest}`, "manifest top"],
  );
});

/** Copies the list twice, the second time with `options`; resolves with the instances that were read at the source. */
async function again(before: Partial<CopyOptions>, options: Partial<CopyOptions>) {
  const destination = registry();
  const cache = new MemoryBlobInfoCache();
  await copy(new MemorySource(list), destination, before, 100, undefined, { cache });
  destination.manifests.set(list.digest, list.manifest);
  destination.log.length = 0;
  const source = new MemorySource(list);
  const { result } = await copy(source, destination, options, 100, undefined, { cache });
  return { asked: source.asked.length, skipped: result.skipped, log: destination.log };
}

test("a list that we have copied with all its images gets its tag, and no image of it is looked at", async () => {
  const { asked, log } = await again(all, all);
  assert.deepEqual([asked, log], [0, ["manifest top", "commit"]]);
});

test("a list of which only some images were copied is not taken for whole", async () => {
  const some = { imageListSelection: "specific", instances: [first!.digest] } as const;
  const { asked } = await again(some, all);
  assert.equal(asked, second!.blobs.size);
});

test("what is named already is skipped where that was asked for", async () => {
  const optimize = { ...all, optimizeDestinationImageAlreadyExists: true };
  const { skipped, log } = await again(all, optimize);
  assert.deepEqual([skipped, log], [true, []]);
});

test("a policy sees each image of a list, though the list is there", async () => {
  const destination = registry();
  const cache = new MemoryBlobInfoCache();
  await copy(new MemorySource(list), destination, all, 100, undefined, { cache });
  destination.manifests.set(list.digest, list.manifest);
  let checked = 0;
  const policy = { check: async () => void checked++ };
  await copy(new MemorySource(list), destination, all, 100, undefined, { cache, policy });
  assert.equal(checked, list.images.length);
});

test("in an empty place a blob is looked for only where it is known to be, or another copy was waited for", async () => {
  const big = makeImage({ layers: [300_000, 300_001, 300_002] });
  const [known, waited] = big.layers;
  const looked: string[] = [];
  const destination = Object.assign(registry(), { isEmpty: async () => true });
  const findBlob = destination.findBlob.bind(destination);
  destination.findBlob = async (blob) => {
    looked.push(blob.digest);
    return findBlob(blob);
  };
  const cache = new MemoryBlobInfoCache();
  await cache.record({ digest: known!.digest, size: known!.size, at: here });
  let isBusy = true;
  const flight = (place: string): Flight => ({
    lead: async (task) => (isBusy && place.endsWith(waited!.digest) ? undefined : task()),
    ended: async () => void (isBusy = false),
  });
  const ends = { source: new MemorySource(big), destination, platform: {}, host, compression: {} };
  const control = { blobs: new LocalSemaphore(9), flight, report: () => {}, signal: never };
  await copyImage({ ...ends, cache }, DEFAULTS, control);
  assert.deepEqual(looked.toSorted(), [known!.digest, waited!.digest].toSorted());
  assert.equal(destination.blobs.size, 4);
});

test("whether there is anything is asked while the source is, and where there is nothing, no manifest is looked for", async () => {
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
  const source = new MemorySource(image);
  const read = source.getManifest.bind(source);
  source.getManifest = async (instance) => {
    await asked.promise;
    answered.resolve(true);
    return read(instance);
  };
  const destination = Object.assign(registry(), {
    isEmpty: () => (asked.resolve(), answered.promise),
  });
  destination.manifests.set(image.digest, image.manifest);
  await copy(source, destination);
  assert.equal(source.asked.length, 3, "its manifest was not looked for");
});

test("where what is there matters, the rest is asked only where nothing is", async () => {
  for (const present of [undefined, image.digest]) {
    const log: string[] = [];
    const destination = Object.assign(registry(), {
      isEmpty: async () => log.push("is it empty?") === 0,
    });
    if (present !== undefined) destination.manifests.set("top", image.manifest);
    await copy(new MemorySource(image), destination, { ifTagExists: "skip" });
    assert.equal(log.length > 0, present === undefined);
  }
});

test("the way to both ends is made ready before it is needed, for as many blobs as move at once, and not where blobs are known to be", async () => {
  const big = makeImage({ layers: [1000, 1001, 1002, 1003] });
  const copied = async (cache: MemoryBlobInfoCache) => {
    const log: string[] = [];
    const source = Object.assign(new MemorySource(big), {
      approach: (requests: number) => void log.push(`from ${requests}`),
    });
    const destination = Object.assign(registry(), {
      approach: (requests: number) => void log.push(`to ${requests}`),
      expectBlob: () => void log.push("expected"),
    });
    const ends = { source, destination, platform: {}, host, compression: {}, cache };
    const options = { ...DEFAULTS, maxParallelDownloads: 3 };
    const control = { blobs: new LocalSemaphore(9), report: () => {}, signal: never };
    await copyImage(ends, options, control);
    return log;
  };
  const expected = Array.from({ length: 5 }, () => "expected");
  assert.deepEqual(await copied(new MemoryBlobInfoCache()), [
    "to 1",
    "from 3",
    "to 3",
    ...expected,
  ]);
  const cache = new MemoryBlobInfoCache();
  await cache.record({ digest: big.config.digest, size: big.config.size, at: here });
  assert.deepEqual(await copied(cache), ["to 1", ...expected]);
});

test("a blob that another repository has is mounted without being looked for; where that is refused, it is looked for", async () => {
  const source = new MemorySource(image, { registry: "r", repository: "b" });
  const destination = registry();
  const [mounted, found, moved] = [...image.layers, image.config];
  destination.mountable.add(mounted!.digest);
  destination.blobs.set(found!.digest, image.blobs.get(found!.digest)!);
  const copied = await copy(source, destination);
  assert.deepEqual(source.asked, [moved!.digest]);
  assert.deepEqual(reasons(copied).toSorted(), ["exists", "mounted"]);
});
