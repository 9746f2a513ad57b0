// Bytes that are not what they are called: other content (reliability T14), other sizes (T17), damage on the way (T18), encodings that
// nobody asked for (T25).

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import type { Code } from "../../src/codes.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { startHost } from "../support/host.ts";
import { makeImage, makeList, seededBytes, type TestImage } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import { useBench } from "./bench.ts";
import { honest, rawOf, SOURCES, withTop, type HostileImage } from "./sources.ts";

const bench = useBench();
const image = makeImage();
const other = makeImage({ seed: "other" });
const list = makeList([image, makeImage({ platform: { os: "linux", architecture: "arm64" } })]);
const all = { options: { imageListSelection: "all" } } as const;

const withBlob = (base: HostileImage, digest: string, bytes: Buffer): HostileImage => ({
  ...base,
  blobs: new Map([...base.blobs, [digest, bytes]]),
});
/** Another image under the name of one of a list. */
const swapped = (name: string, by: typeof image): HostileImage => ({
  ...honest(list),
  manifests: new Map([...honest(list).manifests, [name, by.manifest]]),
  blobs: new Map([...honest(list).blobs, ...by.blobs]),
});

test("another image under a pinned digest is refused, though the registry swears that it is the one", async () => {
  const source = await bench().place("docker", swapped(image.digest, other));
  const pinned = source.replace(":v1", `@${image.digest}`);
  for (const kind of ["docker, used", "oci, fresh", "dir, used"] as const)
    await bench().assertRefused(
      pinned,
      { code: "digest_mismatch", words: new RegExp(image.digest) },
      {},
      bench().destination(kind),
    );
});

test("a job that goes on after a while refuses what has taken its image's place", async () => {
  const pinned = { source: { pinned: image.digest } };
  const source = await bench().place("docker", swapped(image.digest, other));
  await bench().assertRefused(source, { code: "digest_mismatch" }, pinned);
  const folder = await bench().place("dir", honest(other));
  await bench().assertRefused(folder, { code: "source_not_found", words: /another image/ }, pinned);
});

test("another image in the place of one of a list is refused, whichever is chosen", async () => {
  const hostile = swapped(image.digest, other);
  await bench().assertRefusedFrom(hostile, { code: "digest_mismatch" });
  await bench().assertRefusedFrom(hostile, { code: "digest_mismatch" }, all);
});

/** Each damage has an image of its own: what the destinations have of it already is never read again. */
const BLOBS = [
  ["config", ({ config }) => config.digest],
  ["first layer", ({ layers }) => layers[0]?.digest],
  ["last layer", ({ layers }) => layers.at(-1)?.digest],
] as const satisfies readonly (readonly [string, (of: TestImage) => Digest | undefined])[];
const DAMAGES = [
  ["of the same size, but another", "digest_mismatch", (b) => seededBytes("x", b.length)],
  ["without its last byte", "size_mismatch", (b) => b.subarray(0, -1)],
  ["with a byte more", "size_mismatch", (b) => Buffer.concat([b, Buffer.of(0)])],
  ["of no bytes at all", "size_mismatch", () => Buffer.of()],
  ["twice behind itself", "size_mismatch", (b) => Buffer.concat([b, b])],
] as const satisfies readonly (readonly [string, Code, (bytes: Buffer) => Buffer])[];
for (const [name, digestIn] of BLOBS)
  for (const [how, code, damage] of DAMAGES)
    test(`a ${name} ${how} is refused`, () => {
      const own = makeImage({ seed: `${name} ${how}` });
      const digest = digestIn(own) ?? assert.fail();
      const wrong = damage(own.blobs.get(digest) ?? assert.fail());
      return bench().assertRefusedFrom(withBlob(honest(own), digest, wrong), { code });
    });

for (const [name, size] of [
  ["a byte less than there are", (n: number) => n - 1],
  ["a byte more than there are", (n: number) => n + 1],
  ["no bytes", () => 0],
  ["all the bytes that a number can count", () => Number.MAX_SAFE_INTEGER],
] as const) {
  for (const field of ["config", "layers"] as const)
    test(`a manifest that says ${name} of its ${field} is refused`, async () => {
      const document = documentOf(image.manifest);
      const descriptor = field === "config" ? document.config : document.layers[0];
      descriptor.size = size(descriptor.size);
      const hostile = withTop(honest(image), OCI_MANIFEST, document);
      await bench().assertRefusedFrom(hostile, { code: "size_mismatch" });
    });

  test(`a list that says ${name} of an image is refused`, async () => {
    const document = documentOf(list.manifest);
    document.manifests[0].size = size(document.manifests[0].size);
    const hostile = withTop(honest(list), list.manifest.mediaType, document);
    for (const given of [{}, all])
      await bench().assertRefusedFrom(hostile, { code: "size_mismatch" }, given);
  });
}

test("one bit turned over anywhere in a blob or in an image's manifest is found, two hundred times", async () => {
  const base = honest(list);
  const parts = [...base.blobs.keys(), ...base.manifests.keys()];
  const random = seededBytes("bits", 3 * 4 * 200);
  for (let i = 0; i < 200; i++) {
    const [a, b, c] = [0, 4, 8].map((at) => random.readUInt32LE(12 * i + at)) as [
      number,
      number,
      number,
    ];
    const name = parts[a % parts.length] ?? "";
    const manifest = base.manifests.get(name);
    const bytes = Buffer.from(manifest?.bytes ?? base.blobs.get(name) ?? Buffer.of());
    const at = b % bytes.length;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (c % 8));
    const hostile =
      manifest === undefined
        ? withBlob(base, name, bytes)
        : { ...base, manifests: new Map([...base.manifests, [name, { ...manifest, bytes }]]) };
    const source = await bench().place(SOURCES[i % 3] ?? "docker", hostile);
    // A fresh one: there it would be seen that the blobs are reused and not read.
    const destination = bench().destination(i % 2 === 0 ? "oci, fresh" : "docker, fresh");
    await bench().assertRefused(source, { code: "digest_mismatch" }, all, destination);
  }
});

const KINDS = ["docker, used", "oci, used", "dir, used"] as const;
for (const [name, fault, code] of [
  ["is cut off in its middle", { truncate: 100 }, "registry_unavailable"],
  ["is reset in its middle", { reset: 100 }, "registry_unavailable"],
  ["has a bit turned over on its way", { corrupt: true }, "digest_mismatch"],
  ["stops in its middle", { stall: 100 }, "transfer_stalled"],
] as const) {
  test(`a blob that ${name} fails the copy`, async () => {
    // So many bytes that reading does not come to the end, however often it goes on.
    const layers = [10_000, 10_001];
    const source = await bench().place("docker", honest(makeImage({ seed: name, layers })));
    bench().liar.fail("GET blobs", fault);
    try {
      // Each stall takes its time.
      for (const kind of code === "transfer_stalled" ? KINDS.slice(0, 1) : KINDS)
        await bench().assertRefused(source, { code }, {}, bench().destination(kind));
    } finally {
      bench().liar.heal();
    }
  });
}

/** A registry that says of all it sends that it is encoded so. */
async function encoding(
  t: TestContext,
  header: string,
  manifest: Buffer,
  blob: (bytes: Buffer) => Buffer,
) {
  const asked = new Set<unknown>();
  const answer =
    (bytes: Buffer, headers: Record<string, string>): RequestListener =>
    (request, response) => {
      asked.add(request.headers["accept-encoding"]);
      response.writeHead(200, headers).end(bytes);
    };
  const encoded = { "content-encoding": header };
  const type = { "content-type": OCI_MANIFEST, ...(manifest !== image.manifest.bytes && encoded) };
  const host = await startHost(t, {
    "/v2/app/manifests/v1": answer(manifest, type),
    ...Object.fromEntries(
      Array.from(image.blobs, ([digest, bytes]) => [
        `/v2/app/blobs/${digest}`,
        answer(blob(bytes), encoded),
      ]),
    ),
  });
  return { reference: `docker://${host.address}/app:v1`, asked };
}

test("a manifest that comes encoded is refused, and none was asked for", async (t) => {
  const chain = Array.from({ length: 5000 }, () => "gzip").join(", ");
  for (const header of ["gzip", "deflate", "br", "zstd", "x", chain.slice(0, 8000)]) {
    const manifest = gzipSync(image.manifest.bytes);
    const { reference, asked } = await encoding(t, header, manifest, (bytes) => bytes);
    await bench().assertRefused(reference, { code: "registry_unavailable", words: /encodes/ });
    assert.deepEqual(asked, new Set(["identity"]));
  }
});

test("a blob that comes encoded is refused; one that is only called so is what its digest says", async (t) => {
  const wrong = await encoding(t, "gzip", image.manifest.bytes, gzipSync);
  const to = () => bench().destination("oci, fresh");
  await bench().assertRefused(wrong.reference, { code: "size_mismatch" }, {}, to());
  assert.deepEqual(wrong.asked, new Set(["identity"]));
  const called = await encoding(t, "gzip", image.manifest.bytes, (bytes) => bytes);
  const { digest } = await bench().copy(called.reference, to());
  assert.equal(digest, image.digest);
});

test("a manifest by digest that is served as another type than its list says is refused", async () => {
  const hostile = swapped(image.digest, {
    ...image,
    manifest: rawOf("application/vnd.docker.distribution.manifest.v2+json", image.manifest.bytes),
  });
  const source = await bench().place("docker", hostile);
  await bench().assertRefused(source, { code: "manifest_invalid", words: /served as/ });
  assert.equal(digestOf(image.manifest.bytes), image.digest);
});
