// Manifests at registries: which type one has, what its digest is, and that what a header says of either is believed only as far as it must be.

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf, type Algorithm, type Digest } from "../../src/image/digest.ts";
import { manifestDigest, type RawManifest } from "../../src/image/manifest/manifest.ts";
import {
  DOCKER_LIST,
  MANIFEST_TYPES,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { startHost } from "../support/host.ts";
import { makeImage, makeList } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { makeSchema1 } from "../support/schema1.ts";
import { never, openDestination, openSource, registriesFor, streamOf } from "./docker-setup.ts";

const docker = makeImage({ mediaTypes: "docker" });
const oci = makeImage();
const list = makeList([docker], "docker");
/** An OCI manifest or index may leave its type to whoever serves it. */
const untyped = ({ bytes }: RawManifest): Buffer => {
  const { mediaType: _, ...rest } = JSON.parse(bytes.toString()) as { mediaType: string };
  return Buffer.from(JSON.stringify(rest));
};
const schema1 = Buffer.from('{"schemaVersion":1,"name":"a","tag":"v1","fsLayers":[],"history":[]}');

/** A host that answers one manifest with these headers, whatever is asked of it. */
const serving =
  (bytes: Buffer, headers: Record<string, string>): RequestListener =>
  (_, response) =>
    response.writeHead(200, headers).end(bytes);

async function readFrom(
  t: TestContext,
  bytes: Buffer,
  headers: Record<string, string>,
  ref = ":v1",
): Promise<RawManifest> {
  const path = `/v2/a/manifests/${ref.slice(1)}`;
  const host = await startHost(t, { [path]: serving(bytes, headers) });
  await using source = await openSource(`${host.address}/a${ref}`, {
    registries: registriesFor(t),
  });
  const manifest = await source.getManifest(undefined, never);
  const [asked] = host.requests.filter(({ url }) => url === path);
  assert.deepEqual(asked?.headers.accept?.split(", "), [...MANIFEST_TYPES]);
  return manifest;
}

const SILENT = ["application/json", "text/plain; charset=utf-8", "application/octet-stream", ""];
const TYPES: readonly (readonly [
  what: string,
  bytes: Buffer,
  headers: readonly string[],
  expected: string,
])[] = [
  [
    "the type itself",
    docker.manifest.bytes,
    [SCHEMA2, `${SCHEMA2}; charset=utf-8`, `${SCHEMA2};x`],
    SCHEMA2,
  ],
  ["the type in capitals", oci.manifest.bytes, [OCI_MANIFEST.toUpperCase()], OCI_MANIFEST],
  ["the type of schema 1", schema1, [SCHEMA1, `${SCHEMA1}; charset=utf-8`], SCHEMA1],
  ["nothing of an OCI image", oci.manifest.bytes, SILENT, OCI_MANIFEST],
  ["nothing of an OCI image without its own type", untyped(oci.manifest), SILENT, OCI_MANIFEST],
  ["nothing of a docker image", docker.manifest.bytes, SILENT, SCHEMA2],
  ["nothing of a docker list", list.manifest.bytes, SILENT, DOCKER_LIST],
  ["nothing of an index", untyped(makeList([oci]).manifest), SILENT, OCI_INDEX],
  ["nothing of schema 1", schema1, SILENT, SCHEMA1],
  ["another type than it has", docker.manifest.bytes, [OCI_INDEX], OCI_INDEX],
  ["a type that is none", docker.manifest.bytes, ["text/html"], "text/html"],
  ["nothing of what is no manifest", Buffer.from("<html>"), ["text/plain"], "text/plain"],
];
for (const [what, bytes, headers, expected] of TYPES)
  test(`where the header says ${what}, the type is ${expected}`, async (t) => {
    for (const type of headers) {
      const manifest = await readFrom(t, bytes, type === "" ? {} : { "content-type": type });
      assert.deepEqual(manifest, { bytes, mediaType: expected }, type);
    }
  });

/** A host of which `v1` names the docker image, as it says; what it serves for the tag and for that digest. */
async function readServed(
  t: TestContext,
  said: Digest,
  byTag: Buffer,
  byDigest: RequestListener | undefined,
): Promise<{ readonly manifest: Promise<RawManifest>; readonly asked: () => readonly string[] }> {
  const path = (ref: string) => `/v2/a/manifests/${ref}`;
  const headers = { "content-type": SCHEMA2, "docker-content-digest": said };
  const host = await startHost(t, {
    [path("v1")]: serving(byTag, headers),
    ...(byDigest && { [path(said)]: byDigest }),
  });
  const registries = registriesFor(t);
  const source = await openSource(`${host.address}/a:v1`, { registries });
  const asked = () => host.requests.map(({ url = "" }) => url.slice(path("").length));
  return { manifest: source.getManifest(undefined, never), asked };
}

const type = { "content-type": SCHEMA2 };
const damaged = Buffer.from(docker.manifest.bytes.toString().replace("config", "comfig"));
const answering =
  (status: number): RequestListener =>
  (_, response) =>
    response.writeHead(status).end();

test("a manifest that is damaged on its way is read again, by the digest that the tag is said to name", async (t) => {
  const right = serving(docker.manifest.bytes, type);
  const { manifest, asked } = await readServed(t, docker.digest, damaged, right);
  assert.deepEqual(await manifest, docker.manifest);
  assert.deepEqual(asked(), ["v1", docker.digest]);
});

test("a registry that converts what a tag names, and says what it was, gives what it was", async (t) => {
  const right = serving(docker.manifest.bytes, type);
  const other = makeImage({ mediaTypes: "docker", seed: "converted" });
  const { manifest } = await readServed(t, docker.digest, other.manifest.bytes, right);
  assert.deepEqual(await manifest, docker.manifest);
});

test("a manifest that is damaged in the registry is an error", async (t) => {
  const wrong = serving(damaged, type);
  const { manifest, asked } = await readServed(t, docker.digest, damaged, wrong);
  await assert.rejects(manifest, { code: "digest_mismatch" });
  assert.deepEqual(asked(), ["v1", docker.digest]);
});

for (const status of [403, 404, 400])
  test(`where a registry names a digest that it does not have (${status}), what it serves is the image`, async (t) => {
    const { manifest, asked } = await readServed(
      t,
      oci.digest,
      docker.manifest.bytes,
      answering(status),
    );
    assert.deepEqual(await manifest, docker.manifest);
    assert.deepEqual(asked(), ["v1", oci.digest]);
  });

test("where it cannot be asked whether it has the digest, nobody knows what the image is", async (t) => {
  const { manifest } = await readServed(t, oci.digest, docker.manifest.bytes, answering(503));
  await assert.rejects(manifest, { code: "registry_unavailable" });
});

for (const [what, said] of [
  ["the same", docker.digest],
  ["the same by another algorithm", digestOf(docker.manifest.bytes, "sha512")],
  ["no digest", "nonsense" as Digest],
] as const)
  test(`a header that says ${what} costs no second request`, async (t) => {
    const { manifest, asked } = await readServed(t, said, docker.manifest.bytes, undefined);
    assert.deepEqual(await manifest, docker.manifest);
    assert.deepEqual(asked(), ["v1"]);
  });

test("a header that lies about the digest is not believed", async (t) => {
  const lie = { "content-type": SCHEMA2, "docker-content-digest": oci.digest };
  assert.deepEqual(await readFrom(t, docker.manifest.bytes, lie), docker.manifest);
  assert.deepEqual(
    await readFrom(t, docker.manifest.bytes, lie, `@${docker.digest}`),
    docker.manifest,
  );
  await assert.rejects(readFrom(t, docker.manifest.bytes, lie, `@${oci.digest}`), {
    code: "digest_mismatch",
  });
});

/** To a registry that says it has stored what this digest names. */
async function putAs(t: TestContext, manifest: RawManifest, digest: string): Promise<void> {
  const answer: RequestListener = (request, response) =>
    void request
      .resume()
      .on("end", () => response.writeHead(201, { "docker-content-digest": digest }).end());
  const host = await startHost(t, { "/v2/a/manifests/v1": answer });
  const registries = registriesFor(t);
  await using destination = await openDestination(`${host.address}/a:v1`, { registries });
  await destination.putManifest(manifest, undefined, never);
}

test("a registry that says it has stored something else is not believed to have the manifest", async (t) => {
  const put = (digest: string) => putAs(t, docker.manifest, digest);
  await assert.rejects(put(oci.digest), { code: "digest_mismatch" });
  await assert.rejects(put(digestOf(oci.manifest.bytes, "sha512")), { code: "digest_mismatch" });
  await put(docker.digest);
  await put(digestOf(docker.manifest.bytes, "sha512"));
  await put("no digest at all");
});

test("where the registry does not say the digest of what is there, it is that of the bytes, whatever a proxy would make of them", async (t) => {
  const host = await startHost(t, (request, response) => {
    const isPlain = request.headers["accept-encoding"] === "identity";
    if (request.method === "HEAD" || isPlain)
      return void response.writeHead(200, type).end(docker.manifest.bytes);
    response.writeHead(200, { ...type, "content-encoding": "gzip" });
    response.end(gzipSync(docker.manifest.bytes));
  });
  const registries = registriesFor(t);
  await using destination = await openDestination(`${host.address}/a:v1`, { registries });
  const found = await destination.findManifest(undefined, never);
  assert.deepEqual(found, { digest: docker.digest, mediaType: SCHEMA2 });
});

test("signed schema 1 may be called by all of its bytes, by who reads and by who stores it", async (t) => {
  const { root } = makeSchema1({ seed: "s", signed: true, name: "a", tag: "v1" });
  const [own, whole] = [manifestDigest(root), digestOf(root.bytes)];
  assert.notEqual(own, whole);
  for (const said of [own, whole, digestOf(root.bytes, "sha512")]) {
    const headers = { "content-type": SCHEMA1_SIGNED, "docker-content-digest": said };
    assert.deepEqual(await readFrom(t, root.bytes, headers), root, said);
    await putAs(t, root, said);
  }
  await assert.rejects(putAs(t, root, oci.digest), { code: "digest_mismatch" });
});

test("a manifest is sent as the type that it has", async (t) => {
  await using registry = await startRegistry();
  const registries = registriesFor(t);
  for (const [i, image] of [docker, oci].entries()) {
    await using destination = await openDestination(`${registry.host}/a:v${i}`, { registries });
    for (const blob of [image.config, ...image.layers])
      await destination.putBlob(streamOf(image, blob), never);
    await destination.putManifest(image.manifest, undefined, never);
    assert.deepEqual(registry.manifest("a", `v${i}`), { ...image.manifest, digest: image.digest });
  }
  const signed = { bytes: schema1, mediaType: SCHEMA1_SIGNED };
  await using destination = await openDestination(`${registry.host}/a:v2`, { registries });
  await destination.putManifest(signed, undefined, never).catch(() => {});
  assert.equal(registry.requests.at(-1)?.headers["content-type"], SCHEMA1_SIGNED);
});

for (const algorithm of ["sha384", "sha512"] as const satisfies readonly Algorithm[])
  test(`what a ${algorithm} digest names is read and written under it, and checked by it`, async (t) => {
    await using registry = await startRegistry();
    registry.put("a", "v1", oci);
    const named: Digest = digestOf(oci.manifest.bytes, algorithm);
    registry.content.putManifest("a", named, oci.manifest);
    const registries = registriesFor(t);
    await using source = await openSource(`${registry.host}/a@${named}`, { registries });
    assert.deepEqual(await source.getManifest(undefined, never), oci.manifest);
    assert.deepEqual(await source.getManifest(named, never), oci.manifest);

    await using destination = await openDestination(`${registry.host}/b:v1`, { registries });
    for (const blob of [oci.config, ...oci.layers]) {
      const info = { ...blob, digest: digestOf(oci.blobs.get(blob.digest)!, algorithm) };
      const stored = await destination.putBlob({ ...streamOf(oci, blob), info }, never);
      assert.deepEqual(stored, info);
      assert.deepEqual(registry.blob("b", info.digest), oci.blobs.get(blob.digest));
      assert.deepEqual(await destination.findBlob(info, never), info);
      await destination.putBlob(streamOf(oci, blob), never);
    }
    await destination.putManifest(oci.manifest, named, never);
    assert.deepEqual(registry.manifest("b", named)?.bytes, oci.manifest.bytes);

    const other = digestOf(docker.manifest.bytes, algorithm);
    registry.fail("GET manifests", { corrupt: true });
    await assert.rejects(source.getManifest(named, never), { code: "digest_mismatch" });
    registry.heal();
    await assert.rejects(source.getManifest(other, never), { code: "source_not_found" });
  });
