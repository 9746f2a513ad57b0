// Images that are changed on their way: other compressions, other manifest types.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { CompressionWish, CopyOptions } from "../../src/copy/options.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { parseSchema1 } from "../../src/image/manifest/schema1.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { copy } from "../support/copying.ts";
import { makeImage, type ImageOptions } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";

const code = (expected: string) => (error: unknown) =>
  error instanceof CopyError && error.code === expected;

/** Plain text of a layer, whatever its compression. */
function plain(bytes: Buffer): Buffer {
  if (bytes.readUInt16BE(0) === 0x1f8b) return gunzipSync(bytes);
  return bytes.readUInt32LE(0) === 0xfd2fb528 ? zstdDecompressSync(bytes) : bytes;
}

/** Copies, and looks at what has arrived. */
async function arrived(
  image: ReturnType<typeof makeImage>,
  destination: MemoryDestination,
  options: Partial<CopyOptions> = {},
  compression: CompressionWish = {},
) {
  const copied = await copy(new MemorySource(image), destination, options, 100, undefined, {
    compression,
  });
  const manifest = destination.manifests.get("top");
  assert.ok(manifest !== undefined);
  const parsed = parseImage(manifest);
  const blob = (digest: Digest) => destination.blobs.get(digest) ?? assert.fail(`no ${digest}`);
  for (const [i, { digest, size }] of parsed.layers.entries()) {
    if (size !== undefined) assert.equal(blob(digest).length, size);
    assert.deepEqual(
      plain(blob(digest)),
      plain(image.blobs.get(image.layers[i]?.digest as Digest) as Buffer),
    );
  }
  if (parsed.config !== undefined) blob(parsed.config.digest);
  return { ...copied, manifest, parsed, types: parsed.layers.map(({ mediaType }) => mediaType) };
}

const to = (
  layers: "compress" | "decompress" | "preserve",
  manifestTypes: readonly string[] = [],
) => new MemoryDestination({ traits: { layers, manifestTypes } });

// What becomes of layers: (source, destination, wish) → the type of the layers that arrive.
const LAYERS: readonly (readonly [
  what: string,
  image: ImageOptions,
  destination: () => MemoryDestination,
  wish: CompressionWish,
  type: string,
])[] = [
  ["uncompressed layers are gzipped", { compression: "none" }, () => to("compress"), {}, "+gzip"],
  [
    "uncompressed layers become the zstd that was asked for",
    { compression: "none" },
    () => to("compress"),
    { format: "zstd", level: 5 },
    "+zstd",
  ],
  ["gzip becomes zstd", {}, () => to("compress"), { format: "zstd" }, "+zstd"],
  ["gzip stays", {}, () => to("compress"), {}, "+gzip"],
  ["zstd stays", { compression: "zstd" }, () => to("compress"), {}, "+zstd"],
  ["zstd becomes gzip", { compression: "zstd" }, () => to("compress"), { format: "gzip" }, "+gzip"],
  ["gzip is uncompressed", {}, () => to("decompress"), {}, ""],
  ["zstd is uncompressed", { compression: "zstd" }, () => to("decompress"), {}, ""],
  ["uncompressed layers stay", { compression: "none" }, () => to("preserve"), {}, ""],
];
for (const [what, image, destination, wish, type] of LAYERS) {
  test(`${what}, and the manifest says so`, async () => {
    const made = makeImage(image);
    const { types, manifest, parsed } = await arrived(made, destination(), {}, wish);
    assert.deepEqual(types, [OCI_LAYER + type, OCI_LAYER + type]);
    assert.equal(parsed.config?.digest, made.config.digest);
    const isSame = made.layers[0]?.mediaType === OCI_LAYER + type;
    assert.equal(digestOf(manifest.bytes) === made.digest, isSame);
  });
}

test("layers that are zstd:chunked say where their table of contents is, and lose it with their next compression", async () => {
  const first = to("compress");
  const { parsed } = await arrived(makeImage(), first, {}, { format: "zstd:chunked" });
  for (const { annotations = {} } of parsed.layers)
    assert.ok("io.github.containers.zstd-chunked.manifest-checksum" in annotations);
  const source = new MemorySource(makeImage());
  for (const [digest, bytes] of first.blobs) source.blobs.set(digest, bytes);
  const top = first.manifests.get("top");
  assert.ok(top !== undefined);
  const second = to("decompress");
  await copy(Object.assign(source, { getManifest: async () => top }), second);
  const again = parseImage(second.manifests.get("top") ?? assert.fail());
  assert.deepEqual(
    again.layers.map(({ annotations = {} }) => Object.keys(annotations)),
    [[], []],
  );
});

test("layers that nothing may change stay as they are, and so does the manifest", async () => {
  const image = makeImage({ compression: "none" });
  const { manifest } = await arrived(image, to("compress"), { preserveDigests: true });
  assert.deepEqual(manifest.bytes, image.manifest.bytes);
});

test("the bytes of a layer that lies about its compression are looked at, not its type", async () => {
  const honest = makeImage({ compression: "none" });
  const text = honest.manifest.bytes.toString().replaceAll(OCI_LAYER, `${OCI_LAYER}+gzip`);
  const image = { ...honest, manifest: { ...honest.manifest, bytes: Buffer.from(text) } };
  const { types } = await arrived(image, to("compress"));
  assert.deepEqual(types, [`${OCI_LAYER}+gzip`, `${OCI_LAYER}+gzip`]);
  const untouched = await arrived(image, to("preserve"));
  assert.deepEqual(untouched.manifest.bytes, image.manifest.bytes);
});

test("a docker image goes into a layout as an OCI one, with a config of its own", async () => {
  const image = makeImage({ mediaTypes: "docker" });
  const { result, parsed, types, events } = await arrived(
    image,
    to("compress", [OCI_MANIFEST, OCI_INDEX]),
  );
  assert.equal(result.mediaType, OCI_MANIFEST);
  assert.deepEqual(types, [`${OCI_LAYER}+gzip`, `${OCI_LAYER}+gzip`]);
  assert.equal(parsed.config?.mediaType, OCI_CONFIG);
  assert.equal(result.sourceDigest, image.digest);
  const planned = events.flatMap((e) => (e.type === "planned" ? e.artifacts : []));
  assert.ok(planned.some(({ digest }) => digest === parsed.config?.digest));
});

test("an OCI image goes into docker's archives as schema 2, and zstd is uncompressed on the way", async () => {
  const image = makeImage({ compression: "zstd" });
  const { manifest, parsed } = await arrived(image, to("decompress", [SCHEMA2]));
  assert.equal(manifest.mediaType, SCHEMA2);
  assert.equal(parsed.config?.digest, image.config.digest);
});

test("a type that the destination refuses is followed by the next that it may take", async () => {
  const destination = to("compress", [OCI_MANIFEST, SCHEMA2, SCHEMA1_SIGNED]);
  destination.refused.add(OCI_MANIFEST);
  const { result } = await arrived(makeImage(), destination);
  assert.equal(result.mediaType, SCHEMA2);
  destination.refused.add(SCHEMA2).add(SCHEMA1_SIGNED);
  await assert.rejects(
    copy(new MemorySource(makeImage({ seed: "other" })), destination),
    (error) =>
      code("manifest_rejected")(error) &&
      [OCI_MANIFEST, SCHEMA2, SCHEMA1_SIGNED].every((type) =>
        (error as Error).message.includes(type),
      ),
  );
});

test("other types are not tried where the destination fails in another way", async () => {
  const destination = to("compress", [OCI_MANIFEST, SCHEMA2]);
  destination.putManifest = async () => {
    throw new CopyError("registry_unavailable", "away", { side: "destination" });
  };
  await assert.rejects(
    copy(new MemorySource(makeImage()), destination),
    code("registry_unavailable"),
  );
});

test("zstd layers that schema 2 cannot name are refused before anything is written", async () => {
  const destination = to("compress", [SCHEMA2]);
  await assert.rejects(
    copy(new MemorySource(makeImage()), destination, {}, 100, undefined, {
      compression: { format: "zstd" },
    }),
    code("manifest_rejected"),
  );
  assert.deepEqual(destination.log, []);
});

test("offsets count what was read, and what was stored is told beside them", async () => {
  const image = makeImage({ compression: "none", layers: 1 });
  const { events } = await arrived(image, to("compress"));
  const [layer] = image.layers;
  const done = events.find((e) => e.type === "blob-done" && e.artifact.digest === layer?.digest);
  assert.ok(done?.type === "blob-done");
  assert.equal(done.offset, layer?.size);
  assert.ok(done.bytesStored < done.offset);
});

test("an image that becomes schema 1 is called there what its destination calls it", async () => {
  const dockerReference = parseDockerReference("registry.example/team/app:v1", "");
  const destination = new MemoryDestination({ dockerReference });
  const { manifest } = await arrived(makeImage({ mediaTypes: "docker" }), destination, {
    forceManifestMimeType: SCHEMA1_SIGNED,
  });
  const { name, tag } = parseSchema1(manifest);
  assert.deepEqual({ name, tag }, { name: "team/app", tag: "v1" });
});

test("unsigned schema 1 is signed where it is refused unsigned", async () => {
  const first = new MemoryDestination();
  await arrived(makeImage({ mediaTypes: "docker" }), first, {
    forceManifestMimeType: SCHEMA1_SIGNED,
  });
  const signed = first.manifests.get("top") ?? assert.fail();
  const { signatures: _, ...unsigned } = JSON.parse(signed.bytes.toString()) as object & {
    signatures: unknown;
  };
  const manifest = { mediaType: SCHEMA1, bytes: Buffer.from(JSON.stringify(unsigned)) };
  const source = new MemorySource(makeImage({ mediaTypes: "docker" }));
  for (const [digest, bytes] of first.blobs) source.blobs.set(digest, bytes);
  const destination = new MemoryDestination({
    traits: { manifestTypes: [SCHEMA2, SCHEMA1_SIGNED, SCHEMA1] },
  });
  destination.refused.add(SCHEMA1).add(SCHEMA2);
  const { result } = await copy(
    Object.assign(source, { getManifest: async () => manifest }),
    destination,
  );
  assert.equal(result.mediaType, SCHEMA1_SIGNED);
});

test("an image whose layers are kept elsewhere does not become schema 1, which could not say where", async () => {
  const image = makeImage({ mediaTypes: "docker" });
  const text = image.manifest.bytes
    .toString()
    .replace('"layers":[{', '"layers":[{"urls":["https://example.com/layer"],');
  const foreign = { ...image, manifest: { ...image.manifest, bytes: Buffer.from(text) } };
  const destination = new MemoryDestination();
  await assert.rejects(
    copy(new MemorySource(foreign), destination, { forceManifestMimeType: SCHEMA1_SIGNED }),
    (error) =>
      code("manifest_rejected")(error) && /downloadForeignLayers/.test((error as Error).message),
  );
  assert.equal(destination.manifests.size, 0);
});
