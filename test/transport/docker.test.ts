import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBuffer } from "../../src/bytes.ts";
import type { Destination } from "../../src/copy/interfaces.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { writeSchema1 } from "../../src/image/manifest/schema1.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { makeImage, makeList, seededBytes } from "../support/images.ts";
import { until } from "../support/peers.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
  streamOf,
} from "./docker-setup.ts";

test("an image is read byte for byte, its manifest once", async (t) => {
  await using registry = await startRegistry();
  const image = makeImage({ layers: [3_000_000, 5] });
  registry.put("a/b", "v1", image);
  await using source = await openSource(`${registry.host}/a/b:v1`, {
    registries: registriesFor(t),
  });
  assert.deepEqual(await source.getManifest(undefined, never), image.manifest);
  assert.equal(
    await source.getManifest(undefined, never),
    await source.getManifest(undefined, never),
  );
  for (const blob of [...image.layers, image.config])
    assert.deepEqual(await readBlob(source, blob), image.blobs.get(blob.digest));
  assert.equal(registry.requests.filter(({ kind }) => kind === "manifests").length, 1);
  assert.deepEqual(source.location, { registry: registry.host, repository: "a/b" });
});

test("an instance of a list is read by its digest", async (t) => {
  await using registry = await startRegistry({ quirks: ["content-type-parameters"] });
  const image = makeImage();
  registry.put("a", "v1", makeList([image]));
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  assert.equal((await source.getManifest(undefined, never)).mediaType, OCI_INDEX);
  assert.deepEqual(await source.getManifest(image.digest, never), image.manifest);
});

test("a pinned digest is read, wherever the tag points by now", async (t) => {
  await using registry = await startRegistry();
  const [old, fresh] = [makeImage(), makeImage({ seed: "fresh" })];
  registry.put("a", "v1", old);
  registry.put("a", "v1", fresh);
  const registries = registriesFor(t);
  await using unpinned = await openSource(`${registry.host}/a:v1`, { registries });
  assert.deepEqual((await unpinned.getManifest(undefined, never)).bytes, fresh.manifest.bytes);
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries,
    pinned: old.digest,
  });
  assert.deepEqual((await source.getManifest(undefined, never)).bytes, old.manifest.bytes);
});

test("a manifest that is not the one its digest names is refused", async (t) => {
  await using registry = await startRegistry();
  const image = makeImage();
  registry.put("a", "v1", image);
  registry.fail("GET manifests", { corrupt: true });
  await using source = await openSource(`${registry.host}/a@${image.digest}`, {
    registries: registriesFor(t),
  });
  await assert.rejects(source.getManifest(undefined, never), { code: "digest_mismatch" });
});

test("a signed schema 1 manifest is the one that its digest names without its signatures", async (t) => {
  await using registry = await startRegistry();
  registry.content.addBlob("a", digestOf(Buffer.from("x")), Buffer.from("x"));
  const v1Compatibility = JSON.stringify({ id: "a".repeat(64) });
  const manifest = writeSchema1({
    name: "a",
    tag: "v1",
    architecture: "amd64",
    entries: [{ blobSum: digestOf(Buffer.from("x")), v1Compatibility }],
  });
  const digest = manifestDigest(manifest);
  assert.notEqual(digest, digestOf(manifest.bytes));
  const registries = registriesFor(t);
  await using destination = await openDestination(`${registry.host}/a:v1`, { registries });
  await destination.putManifest(manifest, undefined, never);
  assert.equal((await destination.findManifest(undefined, never))?.digest, digest);
  await using source = await openSource(`${registry.host}/a@${digest}`, { registries });
  assert.deepEqual(await source.getManifest(undefined, never), manifest);
});

const WAYS: readonly (readonly Quirk[])[] = [
  [],
  ["relative-location"],
  ["no-docker-content-digest"],
  ["no-content-length"],
  ["redirect-blobs"],
  ["uploads-elsewhere"],
];
for (const quirks of WAYS) {
  test(`an image is written and read where the registry is ${quirks[0] ?? "plain"}`, async (t) => {
    await using registry = await startRegistry({ quirks });
    const registries = registriesFor(t);
    const image = makeImage({ layers: [1_500_000, 3] });
    await using destination = await openDestination(`${registry.host}/a/b:v1`, { registries });
    assert.equal(await destination.findManifest(undefined, never), undefined);
    await putImage(destination, image);
    await destination.commit(never);
    const expected = { digest: image.digest, mediaType: OCI_MANIFEST };
    assert.deepEqual(await destination.findManifest(undefined, never), expected);
    assert.deepEqual(await destination.findManifest(image.digest, never), expected);
    assert.equal(registry.openUploads, 0);
    await using source = await openSource(`${registry.host}/a/b:v1`, { registries });
    for (const blob of image.layers)
      assert.deepEqual(await readBlob(source, blob), image.blobs.get(blob.digest));
  });
}

test("a reference with tag and digest is written as its tag, one with a digest only as that", async (t) => {
  await using registry = await startRegistry();
  const registries = registriesFor(t);
  const image = makeImage();
  await using both = await openDestination(`${registry.host}/a:v1@${image.digest}`, { registries });
  assert.equal(both.digest, image.digest);
  await putImage(both, image);
  assert.equal(registry.manifest("a", "v1")?.digest, image.digest);
  await using only = await openDestination(`${registry.host}/b@${image.digest}`, { registries });
  await putImage(only, image);
  assert.equal(registry.manifest("b", image.digest)?.digest, image.digest);
  assert.equal(registry.manifest("b", "latest"), undefined);
});

test("an empty blob, and one whose digest and size are not known before, are stored under their digests", async (t) => {
  await using registry = await startRegistry();
  await using destination = await openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  const empty = { mediaType: "x", digest: digestOf(Buffer.alloc(0)), size: 0 };
  assert.deepEqual(
    await destination.putBlob({ info: empty, content: fromBuffer(Buffer.alloc(0)) }, never),
    empty,
  );
  const bytes = seededBytes("unknown", 300_000);
  const stored = await destination.putBlob(
    { info: { mediaType: "x" }, content: fromBuffer(bytes) },
    never,
  );
  assert.deepEqual(stored, { mediaType: "x", digest: digestOf(bytes), size: bytes.length });
  assert.deepEqual(registry.blob("a", stored.digest), bytes);
  assert.equal(registry.openUploads, 0);
});

test("a blob of the destination is found, one of another repository mounted", async (t) => {
  await using registry = await startRegistry({
    auth: { kind: "bearer", username: "u", password: "p" },
  });
  const image = makeImage();
  const [blob] = image.layers as [typeof image.config];
  registry.put("from", "v1", image);
  const credentials = { username: "u", password: "p" };
  await using destination = await openDestination(`${registry.host}/to:v1`, {
    registries: registriesFor(t),
    credentials,
  });
  assert.equal(await destination.findBlob(blob, never), undefined);
  assert.deepEqual(destination.location, { registry: registry.host, repository: "to" });
  const from = { registry: registry.host, repository: "from" };
  assert.equal(await destination.mountBlob(blob, from, never), true);
  assert.deepEqual(await destination.findBlob(blob, never), blob);
  assert.deepEqual(registry.peak, { downloads: 0, uploads: 0 });
});

test("where a mount is answered with a session, the blob goes there", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-mount"] });
  const image = makeImage();
  registry.put("from", "v1", image);
  const [one, two] = image.layers as [typeof image.config, typeof image.config];
  const from = { registry: registry.host, repository: "from" };
  {
    await using destination = await openDestination(`${registry.host}/to:v1`, {
      registries: registriesFor(t),
    });
    assert.equal(await destination.mountBlob(one, from, never), false);
    assert.equal(await destination.mountBlob(two, from, never), false);
    await destination.putBlob(streamOf(image, one), never);
    assert.equal(registry.requests.filter(({ method }) => method === "POST").length, 2);
    assert.equal(registry.openUploads, 1);
  }
  assert.equal(registry.openUploads, 0, "what was begun and not used is given back");
});

test("the upload of a blob that is expected begins before its bytes are there, in one session", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-mount"] });
  const image = makeImage();
  registry.put("from", "v1", image);
  const [one, two] = image.layers as [typeof image.config, typeof image.config];
  const posts = () => registry.requests.filter(({ method }) => method === "POST").length;
  {
    await using destination = await openDestination(`${registry.host}/to:v1`, {
      registries: registriesFor(t),
    });
    const from = { registry: registry.host, repository: "from" };
    assert.equal(await destination.mountBlob(one, from, never), false);
    destination.expectBlob?.(one, never);
    destination.expectBlob?.(two, never);
    destination.expectBlob?.(image.config, never);
    await until(async () => posts() === 3, 10_000, "no upload begins");
    await destination.putBlob(streamOf(image, two), never);
    await destination.putBlob(streamOf(image, one), never);
    assert.equal(posts(), 3);
    assert.equal(registry.openUploads, 1);
  }
  assert.equal(registry.openUploads, 0, "what was begun and not used is given back");
});

test("what keeps an upload from beginning is told when the blob is put", async (t) => {
  await using registry = await startRegistry();
  const image = makeImage();
  const [one] = image.layers as [typeof image.config];
  await using destination = await openDestination(`${registry.host}/to:v1`, {
    registries: registriesFor(t),
  });
  registry.fail("POST uploads", { status: 403 });
  destination.expectBlob?.(one, never);
  await assert.rejects(destination.putBlob(streamOf(image, one), never), {
    code: "destination_unauthorized",
  });
});

test("a mount that is refused in any way leaves the blob to be sent", async (t) => {
  await using registry = await startRegistry();
  registry.fail("POST uploads", { status: 405 });
  await using destination = await openDestination(`${registry.host}/to:v1`, {
    registries: registriesFor(t),
  });
  const [blob] = makeImage().layers as [ReturnType<typeof makeImage>["config"]];
  const from = { registry: registry.host, repository: "from" };
  assert.equal(await destination.mountBlob(blob, from, never), false);
});

test("a reader that keeps what it was lent stops the reading", async (t) => {
  await using registry = await startRegistry();
  const image = makeImage({ layers: [64 * 1024 * 1024] });
  registry.put("a", "v1", image);
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  const [layer] = image.layers as [typeof image.config];
  const { content } = await source.getBlob(layer, never);
  const kept: (() => void)[] = [];
  let lent = 0;
  const begun = Promise.withResolvers<void>();
  const poured = content.pour((chunk, release) => {
    lent += chunk.length;
    kept.push(release);
    begun.resolve();
  }, never);
  await begun.promise;
  // Another whole download over its own connection is time enough for more to come, if any did.
  await readBlob(source, layer);
  assert.ok(lent <= 6 * 1024 * 1024, `${lent} bytes were lent`);
  for (const release of kept) release();
  kept.length = 0;
  while (lent < layer.size) {
    for (const release of kept.splice(0)) release();
    await new Promise(setImmediate);
  }
  await poured;
  assert.equal(lent, layer.size);
});

test("an abort ends a download and an upload, and is the error", async (t) => {
  await using registry = await startRegistry();
  const image = makeImage({ layers: [2_000_000] });
  registry.put("a", "v1", image);
  registry.fail("GET blobs", { stall: 1000 });
  registry.fail("PUT uploads", { stall: 1000 });
  const registries = registriesFor(t);
  const reason = new CopyError("timeout", "the job took too long");
  const [layer] = image.layers as [typeof image.config];
  await using source = await openSource(`${registry.host}/a:v1`, { registries });
  const download = new AbortController();
  const { content } = await source.getBlob(layer, never);
  await assert.rejects(
    content.pour((_, release) => (release(), download.abort(reason)), download.signal),
    reason,
  );
  const upload = new AbortController();
  await using destination = await openDestination(`${registry.host}/b:v1`, { registries });
  const put = destination.putBlob(streamOf(image, layer), upload.signal);
  while (registry.inFlight.uploads === 0) await new Promise(setImmediate);
  upload.abort(reason);
  await assert.rejects(put, reason);
  assert.equal(registry.openUploads, 0);
});

const seen = makeImage({ seed: "seen" });
for (const [what, fault, isEmpty] of [
  ["a repository that the registry does not know", undefined, true],
  ["one that must not be looked at", { status: 403 }, false],
  ["one of a registry that fails", { status: 500 }, false],
] as const)
  test(`${what} ${isEmpty ? "is" : "does not count as"} empty`, async (t) => {
    await using registry = await startRegistry();
    if (fault !== undefined) registry.fail("GET tags", fault);
    const at = { registries: registriesFor(t) };
    await using destination = await openDestination(`${registry.host}/a:v1`, at);
    assert.equal(await destination.isEmpty?.(never), isEmpty);
    assert.equal(registry.requests.length, 1, "asked once, whatever comes of it");
  });

for (const [how, see] of [
  ["a manifest is found", (to: Destination) => to.findManifest(undefined, never)],
  ["a blob is found", (to: Destination) => to.findBlob(seen.config, never)],
  ["a manifest is put", (to: Destination) => to.putManifest(seen.manifest, undefined, never)],
] as const)
  test(`where ${how}, nobody asks whether the repository is empty`, async (t) => {
    await using registry = await startRegistry();
    registry.put("a", "v1", seen);
    const at = { registries: registriesFor(t) };
    await using one = await openDestination(`${registry.host}/a:v1`, at);
    await see(one);
    const before = registry.requests.length;
    await using other = await openDestination(`${registry.host}/a:v2`, at);
    assert.equal(await other.isEmpty?.(never), false);
    assert.equal(registry.requests.length, before);
  });

test("a repository that has a tag is not empty, and is never asked again", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", makeImage());
  const at = { registries: registriesFor(t) };
  for (let copies = 0; copies < 3; copies++) {
    await using destination = await openDestination(`${registry.host}/a:v2`, at);
    assert.equal(await destination.isEmpty?.(never), false);
  }
  assert.equal(registry.requests.length, 1);
});
