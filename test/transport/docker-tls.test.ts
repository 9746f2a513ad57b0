import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { fromBuffer, type Span } from "../../src/bytes.ts";
import type { Descriptor } from "../../src/image/blob-info.ts";
import { collect } from "../support/bytes.ts";
import { makeImage, type TestImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { makeCertificates } from "../support/tls-files.ts";
import {
  blobOf,
  leftUploads,
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
  streamOf,
} from "./docker-setup.ts";

const dir = await mkdtemp(join(tmpdir(), "transship-tls-"));
after(() => rm(dir, { recursive: true }));

const certificates = await makeCertificates(dir).catch(() => undefined);
const options = { skip: certificates === undefined && "openssl cannot make certificates here" };
const { ca, key, cert } = certificates ?? { ca: "", key: "", cert: "" };
const tls = { key, cert };
const image = makeImage({ layers: [2_000_000] });

test(
  "a registry with a certificate of a private authority is reached with that authority",
  options,
  async (t) => {
    await using registry = await startRegistry({ tls, quirks: ["redirect-blobs"] });
    const access = { registries: registriesFor(t), tlsVerify: true, caCertificates: ca };
    await using destination = await openDestination(`${registry.host}/a:v1`, access);
    await putImage(destination, image);
    await using source = await openSource(`${registry.host}/a:v1`, access);
    assert.deepEqual((await source.getManifest(undefined, never)).bytes, image.manifest.bytes);
    assert.deepEqual(
      await readBlob(source, image.layers[0]!),
      image.blobs.get(image.layers[0]!.digest),
    );
    assert.equal(registry.requests.filter(({ kind }) => kind === "base").length, 0, "no ping");
  },
);

test(
  "it is refused without that authority, also after another job was let in",
  options,
  async (t) => {
    await using registry = await startRegistry({ tls });
    registry.put("a", "v1", image);
    const registries = registriesFor(t);
    const get = async (access: object) =>
      (await openSource(`${registry.host}/a:v1`, { registries, ...access })).getManifest(
        undefined,
        never,
      );
    await assert.rejects(get({ tlsVerify: true }), { code: "tls_failed" });
    await get({ tlsVerify: true, caCertificates: ca });
    await get({ tlsVerify: false });
    await assert.rejects(get({ tlsVerify: true }), { code: "tls_failed" });
    assert.equal(registry.requests.filter(({ kind }) => kind === "manifests").length, 2);
  },
);

test("authorities that are none are an error", async (t) => {
  const access = { registries: registriesFor(t), tlsVerify: true, caCertificates: "nonsense" };
  const source = await openSource("127.0.0.1:1/a:v1", access);
  await assert.rejects(source.getManifest(undefined, never), { code: "tls_failed" });
});

test("what is wrong with a way there is told by who asks, not by who makes it ready", async (t) => {
  const access = { registries: registriesFor(t), tlsVerify: true, caCertificates: "nonsense" };
  await using destination = await openDestination("127.0.0.1:1/a:v1", access);
  destination.approach?.(1, never);
  // A rejection that nobody handles, which would end a worker, fails a test.
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(destination.findManifest(undefined, never), { code: "tls_failed" });
});

test("plain HTTP is used where certificates do not matter, and never where they do", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  const registries = registriesFor(t);
  const get = async (tlsVerify: boolean) =>
    (await openSource(`${registry.host}/a:v1`, { registries, tlsVerify })).getManifest(
      undefined,
      never,
    );
  await get(false);
  await get(false);
  assert.deepEqual(
    registry.requests.map(({ kind }) => kind),
    ["manifests", "manifests"],
    "whether TLS is spoken is found out without a request",
  );
  const before = registry.requests.length;
  await assert.rejects(get(true), { code: "tls_failed" });
  assert.equal(registry.requests.length, before);
});

test(
  "a redirect or an upload that leaves TLS is refused before anything is sent there",
  options,
  async (t) => {
    await using plain = await startRegistry();
    await using registry = await startRegistry({ tls });
    registry.put("a", "v1", image);
    const access = { registries: registriesFor(t), tlsVerify: true, caCertificates: ca };
    registry.fail("GET manifests", {
      status: 307,
      headers: { location: `${plain.url}/v2/a/manifests/v1` },
    });
    registry.fail("POST uploads", {
      status: 202,
      headers: { location: `${plain.url}/v2/a/blobs/uploads/1` },
    });
    await using source = await openSource(`${registry.host}/a:v1`, access);
    await assert.rejects(source.getManifest(undefined, never), { code: "registry_unavailable" });
    await using destination = await openDestination(`${registry.host}/a:v1`, access);
    await assert.rejects(putImage(destination, image), { code: "registry_unavailable" });
    assert.deepEqual(plain.requests, []);
  },
);

test(
  "an upload that was begun without TLS is not gone on with where TLS is asked for",
  options,
  async (t) => {
    await using plain = await startRegistry();
    await using registry = await startRegistry({ tls });
    const big = makeImage({ layers: [9_000_000] });
    const [layer] = big.layers as [Descriptor];
    const uploads = leftUploads();
    const access = { registries: registriesFor(t), tlsVerify: true, caCertificates: ca, uploads };
    uploads.left.set(layer.digest, new URL(`${plain.url}/v2/a/blobs/uploads/1`));
    await using destination = await openDestination(`${registry.host}/a:v1`, access);
    assert.deepEqual(await destination.putBlob(streamOf(big, layer), never), layer);
    assert.deepEqual(plain.requests, []);
  },
);

/** A way to a host that damages one byte, the two millionth that comes from it or goes there. */
async function damaging(t: TestContext, host: string, way: "in" | "out") {
  const state = { host: "", damaged: 0 };
  let passed = 0;
  const damage = (chunk: Buffer): void => {
    const at = 2_000_000 - passed;
    passed += chunk.length;
    if (at < 0 || at >= chunk.length) return;
    chunk.writeUInt8(chunk.readUInt8(at) ^ 1, at);
    state.damaged++;
  };
  const server = createServer((near) => {
    const far = connect(Number(host.split(":")[1]), "127.0.0.1");
    (way === "in" ? far : near).on("data", damage);
    near.on("error", () => far.destroy()).pipe(far);
    far.on("error", () => near.destroy()).pipe(near);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  state.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}

for (const way of ["in", "out"] as const)
  test(`a blob of which the line damages a byte goes on: ${way}`, options, async (t) => {
    await using registry = await startRegistry({ tls, quirks: ["relative-location"] });
    const big = makeImage({ layers: [4_000_000] });
    registry.put("a", "v1", big);
    const line = await damaging(t, registry.host, way);
    const registries = registriesFor(t, { retryMs: 1, breakMs: 1 });
    const access = { registries, tlsVerify: true, caCertificates: ca };
    const [layer] = big.layers as [Descriptor];
    await using source = await openSource(`${line.host}/a:v1`, access);
    await using destination = await openDestination(`${line.host}/b:v1`, access);
    const { content } = await source.getBlob(layer, never);
    if (way === "in") assert.deepEqual(await collect(content), blobOf(big, layer));
    else await destination.putBlob({ ...streamOf(big, layer), again: againOf(big, layer) }, never);
    assert.equal(line.damaged, 1, "control");
    if (way === "out") assert.ok(registry.blob("b", layer.digest)?.equals(blobOf(big, layer)));
  });

const againOf =
  (of: TestImage, layer: Descriptor) =>
  ({ from, to }: Span) =>
    fromBuffer(blobOf(of, layer).subarray(from, to));
