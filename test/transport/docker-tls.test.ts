import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Descriptor } from "../../src/image/blob-info.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { makeCertificates } from "../support/tls-files.ts";
import {
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
