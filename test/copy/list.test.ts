// Lists whose images are changed on their way, and lists that get other entries.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CopyEnds } from "../../src/copy/interfaces.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { CopyError } from "../../src/errors.ts";
import { parseList } from "../../src/image/manifest/list.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { MemoryBlobInfoCache } from "../support/blob-info-cache.ts";
import { copy } from "../support/copying.ts";
import { makeImage, makeList, type ImageOptions, type TestList } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";

const code = (expected: string) => (error: unknown) =>
  error instanceof CopyError && error.code === expected;

const listOf = (options: ImageOptions = {}): TestList =>
  makeList(
    ["amd64", "arm64"].map((architecture) =>
      makeImage({ ...options, platform: { os: "linux", architecture }, seed: architecture }),
    ),
    options.mediaTypes,
  );

const compressing = (manifestTypes: readonly string[] = []) =>
  new MemoryDestination({ traits: { layers: "compress", manifestTypes } });

/** Copies all of a list; every entry of what has arrived must be there. */
async function arrived(
  list: TestList,
  destination: MemoryDestination,
  options: Partial<CopyOptions> = {},
  rest: Partial<CopyEnds> = {},
) {
  const all = { imageListSelection: "all", ...options } as const;
  const copied = await copy(new MemorySource(list), destination, all, 100, undefined, rest);
  const manifest = destination.manifests.get("top") ?? assert.fail("no list");
  const entries = parseList(manifest).instances;
  const images = entries.map(({ digest, mediaType, size }) => {
    const image = destination.manifests.get(digest);
    if (image === undefined) return undefined;
    assert.equal(image.mediaType, mediaType);
    assert.equal(image.bytes.length, size);
    return parseImage(image);
  });
  return { ...copied, manifest, entries, images };
}

const layerTypes = (images: readonly (ReturnType<typeof parseImage> | undefined)[]) =>
  images.map((image) => image?.layers[0]?.mediaType.slice(OCI_LAYER.length));

test("a list whose images are compressed names what they have become", async () => {
  const list = listOf({ compression: "none" });
  const { result, entries, images } = await arrived(list, compressing());
  assert.notEqual(result.digest, list.digest);
  assert.equal(result.sourceDigest, list.digest);
  assert.deepEqual(layerTypes(images), ["+gzip", "+gzip"]);
  assert.deepEqual(
    entries.map(({ platform }) => platform?.architecture),
    ["amd64", "arm64"],
  );
});

test("a docker list goes where OCI is taken as an index of OCI images", async () => {
  const { manifest, images } = await arrived(
    listOf({ mediaTypes: "docker" }),
    compressing([OCI_MANIFEST, OCI_INDEX]),
  );
  assert.equal(manifest.mediaType, OCI_INDEX);
  assert.deepEqual(
    images.map((image) => image?.mediaType),
    [OCI_MANIFEST, OCI_MANIFEST],
  );
});

test("an OCI index is written as docker's where schema 2 is forced", async () => {
  const { manifest, images } = await arrived(listOf(), compressing(), {
    forceManifestMimeType: SCHEMA2,
  });
  assert.equal(manifest.mediaType, DOCKER_LIST);
  assert.deepEqual(
    images.map((image) => image?.mediaType),
    [SCHEMA2, SCHEMA2],
  );
});

test("a list type that the destination refuses is followed by the other", async () => {
  const destination = compressing();
  destination.refused.add(OCI_INDEX);
  assert.equal((await arrived(listOf(), destination)).manifest.mediaType, DOCKER_LIST);
});

test("a list that loses what was not chosen names the others only", async () => {
  const list = listOf();
  const { entries } = await arrived(list, compressing(), {
    imageListSelection: "specific",
    platforms: [{ os: "linux", architecture: "arm64" }],
    sparseManifestListAction: "strip",
  });
  assert.deepEqual(
    entries.map(({ digest }) => digest),
    [list.images[1]?.digest],
  );
});

test("a sparse list stays as it was, though it names images that are not there", async () => {
  const list = listOf();
  const { manifest, images } = await arrived(list, compressing(), {
    imageListSelection: "specific",
    platforms: [{ os: "linux", architecture: "arm64" }],
  });
  assert.deepEqual(manifest.bytes, list.manifest.bytes);
  assert.deepEqual(
    images.map((image) => image !== undefined),
    [false, true],
  );
});

test("each platform gets an image in the compressions that are to be there, the old ones first", async () => {
  const list = listOf();
  const { entries, images, lines } = await arrived(list, compressing(), {
    ensureCompressionVariantsExist: [{ algorithm: "zstd", level: 3 }],
  });
  assert.deepEqual(layerTypes(images), ["+gzip", "+gzip", "+zstd", "+zstd"]);
  assert.deepEqual(
    entries.map(({ platform, annotations = {} }) => [
      platform?.architecture,
      annotations["io.github.containers.compression.zstd"],
    ]),
    [
      ["amd64", undefined],
      ["arm64", undefined],
      ["amd64", "true"],
      ["arm64", "true"],
    ],
  );
  assert.ok(lines.includes("Copying 4 images generated from 2 images in list"));
  assert.equal(lines.filter((line) => line.startsWith("Replicating image ")).length, 2);
  const again = await arrived(
    {
      ...list,
      manifest: {
        mediaType: OCI_INDEX,
        bytes: (await arrived(list, compressing())).manifest.bytes,
      },
    },
    compressing(),
  );
  assert.equal(again.entries.length, 2);
});

test("what a clone has compressed does not take the place of the image's own layers, in whatever order they come", async () => {
  const cache = new MemoryBlobInfoCache();
  const destination = compressing();
  // Only the images' own layers are looked for: a clone would long be there.
  const find = destination.findBlob.bind(destination);
  destination.findBlob = async (blob) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return find(blob);
  };
  const { images } = await arrived(
    listOf(),
    destination,
    { ensureCompressionVariantsExist: [{ algorithm: "zstd" }] },
    { cache },
  );
  assert.deepEqual(layerTypes(images), ["+gzip", "+gzip", "+zstd", "+zstd"]);
});

test("what may not change is not changed in a list's images either: a signed list stays whole", async () => {
  const list = listOf({ compression: "none" });
  const source = new MemorySource(list);
  source.getSignatures = async (instance?: unknown) =>
    instance === undefined ? [{ bytes: Buffer.from([0x90]) }] : [];
  const destination = compressing();
  const { result, lines } = await copy(source, destination, { imageListSelection: "all" });
  assert.equal(result.digest, list.digest);
  assert.equal(result.signatures, 1);
  assert.ok(lines.includes("Storing list signatures"));
  const dropped = compressing();
  const free = await copy(source, dropped, {
    imageListSelection: "all",
    removeListSignatures: true,
  });
  assert.notEqual(free.result.digest, list.digest);
  assert.equal(free.result.signatures, 0);
});

test("entries are neither added to nor taken from a list that may not change", async () => {
  for (const options of [
    { ensureCompressionVariantsExist: [{ algorithm: "zstd" }] },
    {
      imageListSelection: "specific",
      sparseManifestListAction: "strip",
      platforms: [{ os: "linux", architecture: "arm64" }],
    },
  ] as const) {
    const destination = compressing();
    await assert.rejects(
      arrived(listOf(), destination, { ...options, preserveDigests: true }),
      code("digest_not_preserved"),
    );
    assert.deepEqual(destination.log, []);
  }
});

test("what is about lists is refused for a single image, with its field named", async () => {
  for (const options of [
    { ensureCompressionVariantsExist: [{ algorithm: "zstd" }] },
    { removeListSignatures: true },
  ] as const)
    await assert.rejects(
      copy(new MemorySource(makeImage()), compressing(), { imageListSelection: "all", ...options }),
      (error) =>
        code("invalid_request")(error) &&
        (error as CopyError).context.errors?.[0]?.pointer === `/options/${Object.keys(options)[0]}`,
    );
});

test("of an index's images for one platform the gzip one is taken where that is preferred", async () => {
  const images = (["zstd", "gzip"] as const).map((compression) =>
    makeImage({ compression, seed: compression }),
  );
  const list = makeList(images);
  const bytes = Buffer.from(
    list.manifest.bytes
      .toString()
      .replace(
        '"platform"',
        '"annotations":{"io.github.containers.compression.zstd":"true"},"platform"',
      ),
  );
  const source = () => new MemorySource({ ...list, manifest: { mediaType: OCI_INDEX, bytes } });
  const first = await copy(source(), compressing());
  assert.equal(first.result.digest, images[0]?.digest);
  const second = await copy(source(), compressing(), { preferGzipInstances: true });
  assert.equal(second.result.digest, images[1]?.digest);
});

test("of a signed list the chosen image's own signatures go with it, not the list's", async () => {
  const list = listOf();
  const source = new MemorySource(list);
  const [first] = list.images;
  source.getSignatures = async (instance?: unknown) =>
    instance === undefined
      ? [{ bytes: Buffer.from("of the list") }]
      : instance === first?.digest
        ? [{ bytes: Buffer.from("of the image") }]
        : [];
  const destination = compressing();
  await copy(source, destination);
  assert.deepEqual(destination.signatures.get("top"), [{ bytes: Buffer.from("of the image") }]);
});

test("a registry that takes no sparse list is told of with what to do, and not tried again", async () => {
  const destination = compressing();
  destination.putManifest = async () => {
    throw new CopyError("registry_unavailable", "404", {
      side: "destination",
      upstream: { status: 404, code: "MANIFEST_BLOB_UNKNOWN" },
    });
  };
  const list = listOf();
  const sparse = { imageListSelection: "specific" } as const;
  await assert.rejects(
    copy(new MemorySource(list), destination, sparse),
    (error) => code("manifest_rejected")(error) && /strip/.test((error as Error).message),
  );
});
