import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fromBuffer } from "../../src/bytes.ts";
import { CopyError } from "../../src/errors.ts";
import { makeImage } from "../support/images.ts";
import type { Fault, Kind } from "../support/registry-http.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import {
  blobOf,
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
  streamOf,
} from "./docker-setup.ts";

const image = makeImage({ layers: [3_000_000] });
const layer = image.layers[0]!;
const QUICK = { stallMs: 300, storeMs: 300, breakMs: 1 };

const seen = (registry: TestRegistry, what: string): number =>
  registry.requests.filter(({ method, kind }) => `${method} ${kind}` === what).length;

async function pushAndPull(
  registry: TestRegistry,
  registries: ReturnType<typeof registriesFor>,
): Promise<void> {
  await using destination = await openDestination(`${registry.host}/a:v1`, { registries });
  await destination.findManifest(undefined, never);
  await putImage(destination, image);
  await using source = await openSource(`${registry.host}/a:v1`, { registries });
  await source.getManifest(undefined, never);
  assert.deepEqual(await readBlob(source, layer), image.blobs.get(layer.digest));
}

const TRANSIENT: readonly (readonly [`${string} ${Kind}`, Fault])[] = [
  ["GET manifests", { status: 503 }],
  ["GET manifests", { status: 408 }],
  ["HEAD manifests", { status: 425 }],
  ["GET manifests", { reset: 0 }],
  ["GET manifests", { reset: 100 }],
  ["HEAD manifests", { status: 502 }],
  ["PUT manifests", { status: 500 }],
  ["POST uploads", { status: 504 }],
  ["GET blobs", { status: 429, headers: { "retry-after": "0" } }],
];
for (const [what, fault] of TRANSIENT)
  test(`${what} is sent again after ${JSON.stringify(fault)}`, async (t) => {
    await using registry = await startRegistry();
    registry.fail(what, { ...fault, times: 2 });
    await pushAndPull(registry, registriesFor(t));
  });

test("after four tries a failing registry is unavailable, and says why", async (t) => {
  await using registry = await startRegistry();
  registry.fail("GET manifests", { status: 503, code: "UNAVAILABLE", message: "down for repair" });
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  await assert.rejects(source.getManifest(undefined, never), (error: CopyError) => {
    assert.equal(error.code, "registry_unavailable");
    assert.match(error.message, /503.*down for repair/);
    const { side, phase, registry: host, upstream } = error.context;
    assert.deepEqual(
      { side, phase, host, upstream },
      {
        side: "source",
        phase: "manifest",
        host: registry.host,
        upstream: { status: 503, code: "UNAVAILABLE" },
      },
    );
    return true;
  });
  assert.equal(seen(registry, "GET manifests"), 4);
});

test("a registry that wants to be left alone for long is left alone at once", async (t) => {
  await using registry = await startRegistry();
  registry.fail("GET manifests", { status: 429, headers: { "retry-after": "120" } });
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  await assert.rejects(source.getManifest(undefined, never), (error: CopyError) => {
    assert.equal(error.code, "registry_rate_limited");
    assert.equal(error.context.retryAfterMs, 120_000);
    return true;
  });
  assert.equal(seen(registry, "GET manifests"), 1);
});

const ECR =
  "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'";
const PUT_MANIFEST: readonly (readonly [
  status: number,
  code: string,
  expected: CopyError["code"],
  message?: string,
])[] = [
  [400, "MANIFEST_INVALID", "manifest_rejected"],
  [404, "MANIFEST_INVALID", "manifest_rejected"],
  [400, "TAG_INVALID", "manifest_rejected"],
  [405, "UNSUPPORTED", "manifest_rejected", ECR],
  [405, "UNSUPPORTED", "registry_refused"],
  [400, "X", "registry_refused", ECR],
  [415, "X", "manifest_rejected"],
  [415, "", "manifest_rejected"],
  [400, "DIGEST_INVALID", "digest_mismatch"],
  [413, "SIZE_INVALID", "size_mismatch"],
  [404, "MANIFEST_BLOB_UNKNOWN", "registry_unavailable"],
  [400, "MANIFEST_UNVERIFIED", "registry_refused"],
  [400, "manifest_invalid", "registry_refused"],
  [401, "UNAUTHORIZED", "destination_unauthorized"],
  [403, "DENIED", "destination_unauthorized"],
  [403, "MANIFEST_INVALID", "destination_unauthorized"],
  [404, "NAME_UNKNOWN", "registry_refused"],
  [409, "CONFLICT", "registry_unavailable"],
  [412, "PRECONDITION", "registry_refused"],
  [418, "X", "registry_refused"],
  [501, "UNSUPPORTED", "registry_refused"],
  [507, "X", "registry_unavailable"],
];
for (const [status, code, expected, message] of PUT_MANIFEST)
  test(`a manifest refused with ${status} ${code}${message === undefined ? "" : " and Amazon's words"} is ${expected}`, async (t) => {
    await using registry = await startRegistry();
    registry.fail("PUT manifests", { status, code, ...(message !== undefined && { message }) });
    await using destination = await openDestination(`${registry.host}/a:v1`, {
      registries: registriesFor(t),
    });
    await assert.rejects(destination.putManifest(image.manifest, undefined, never), {
      code: expected,
    });
    assert.equal(seen(registry, "PUT manifests"), 1);
  });

test("a code that would refuse a manifest's type refuses nothing else", async (t) => {
  await using registry = await startRegistry();
  registry.fail("POST uploads", { status: 400, code: "MANIFEST_INVALID" });
  await using destination = await openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  await assert.rejects(destination.putBlob(streamOf(image, layer), never), {
    code: "registry_refused",
  });
});

test("what is not there is not found; what must not be looked at counts as not there at the destination", async (t) => {
  await using registry = await startRegistry();
  const registries = registriesFor(t);
  await using source = await openSource(`${registry.host}/a:v1`, { registries });
  await assert.rejects(source.getManifest(undefined, never), { code: "source_not_found" });
  await using destination = await openDestination(`${registry.host}/a:v1`, { registries });
  registry.fail("HEAD manifests", { status: 403 });
  registry.fail("HEAD blobs", { status: 403 });
  assert.equal(await destination.findManifest(undefined, never), undefined);
  assert.equal(await destination.findBlob(layer, never), undefined);
});

test("a blob of another length than its descriptor's is refused", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  await assert.rejects(readBlob(source, { ...layer, size: layer.size + 1 }), {
    code: "size_mismatch",
  });
});

const UPLOADS: readonly (readonly [Fault, CopyError["code"]])[] = [
  [{ reset: 1_000_000 }, "registry_unavailable"],
  [{ stall: 1_000_000 }, "transfer_stalled"],
  [{ status: 503 }, "registry_unavailable"],
  [{ status: 400, code: "DIGEST_INVALID" }, "digest_mismatch"],
  [{ status: 413, code: "SIZE_INVALID" }, "size_mismatch"],
  [{ status: 429, headers: { "retry-after": "1" } }, "registry_rate_limited"],
];
for (const [fault, code] of UPLOADS)
  test(`an upload that fails (${JSON.stringify(fault)}) is ${code}, is not repeated, and its session is given back`, async (t) => {
    const big = makeImage({ layers: [20_000_000] });
    await using registry = await startRegistry();
    registry.fail("PUT uploads", fault);
    await using destination = await openDestination(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
    });
    await assert.rejects(
      destination.putBlob(streamOf(big, big.layers[0]!), never),
      (error: CopyError) => {
        assert.equal(error.code, code);
        assert.equal(error.context.side, "destination");
        return true;
      },
    );
    assert.equal(seen(registry, "PUT uploads"), 1);
    assert.equal(registry.openUploads, 0);
    assert.equal(registry.blob("a", big.layers[0]!.digest), undefined);
  });

test("content that fails keeps its own error, and nothing of it becomes visible", async (t) => {
  await using registry = await startRegistry();
  await using destination = await openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  const failure = new CopyError("digest_mismatch", "wrong bytes", { side: "source" });
  const bytes = blobOf(image, layer);
  const put = (length: number, info: object) =>
    destination.putBlob(
      {
        info: { mediaType: "x", ...info },
        content: {
          pour: async (sink, signal) => {
            await fromBuffer(bytes.subarray(0, length)).pour(sink, signal);
            throw failure;
          },
        },
      },
      never,
    );
  for (const length of [0, 1000, layer.size]) {
    await assert.rejects(put(length, layer), failure);
    await assert.rejects(put(length, {}), failure);
  }
  assert.equal(registry.blob("a", layer.digest), undefined);
  assert.equal(registry.openUploads, 0);
});

test("content of another length than its descriptor's is refused before it counts", async (t) => {
  await using registry = await startRegistry();
  await using destination = await openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  for (const size of [layer.size - 1, layer.size + 1])
    await assert.rejects(
      destination.putBlob({ ...streamOf(image, layer), info: { ...layer, size } }, never),
      { code: "size_mismatch" },
    );
  assert.equal(registry.blob("a", layer.digest), undefined);
});

test("nobody listening, and somebody who speaks no HTTP, are unavailable", async (t) => {
  const server = createServer((socket) => socket.resume().end("220 hello\r\n")).listen(
    0,
    "127.0.0.1",
  );
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const registries = registriesFor(t);
  const open = async () =>
    (await openSource(`127.0.0.1:${port}/a:v1`, { registries })).getManifest(undefined, never);
  await assert.rejects(open(), { code: "registry_unavailable" });
  server.close();
  await once(server, "close");
  await assert.rejects(open(), { code: "registry_unavailable" });
});

test("a registry that keeps redirecting is given up", async (t) => {
  await using registry = await startRegistry();
  registry.fail("GET manifests", { status: 307, headers: { location: "/v2/a/manifests/v1" } });
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  await assert.rejects(source.getManifest(undefined, never), { code: "registry_unavailable" });
  assert.equal(seen(registry, "GET manifests"), 6);
});
