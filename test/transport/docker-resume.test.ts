// Blobs that break off on their way from a registry.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { verify } from "../../src/copy/pipeline/verify.ts";
import { CopyError } from "../../src/errors.ts";
import { collect } from "../support/bytes.ts";
import { startHost } from "../support/host.ts";
import { makeImage } from "../support/images.ts";
import type { Fault } from "../support/registry-http.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { blobOf, never, openSource, readBlob, registriesFor } from "./docker-setup.ts";

const SIZE = 3_000_000;
const image = makeImage({ layers: [SIZE] });
const layer = image.layers[0]!;
const bytes = blobOf(image, layer);
const QUICK = { stallMs: 500, breakMs: 1 };

async function holding(quirks: readonly Quirk[] = []): Promise<TestRegistry> {
  const registry = await startRegistry({ quirks });
  registry.put("a", "v1", image);
  return registry;
}

const gets = (registry: TestRegistry) =>
  registry.requests.filter(({ method, kind }) => `${method} ${kind}` === "GET blobs");

const rangesOf = (registry: TestRegistry): readonly (number | undefined)[] =>
  gets(registry).map(({ headers: { range } }) =>
    range === undefined ? undefined : Number(/^bytes=([0-9]+)-[0-9]+$/.exec(range)?.[1]),
  );

const BREAKS: readonly Fault[] = [
  { truncate: 1_000_000 },
  { reset: 1_000_000 },
  { stall: 1_000_000 },
];
for (const fault of BREAKS)
  test(`a blob that breaks off (${JSON.stringify(fault)}) goes on from there`, async (t) => {
    await using registry = await holding();
    registry.fail("GET blobs", { ...fault, times: 2 });
    await using source = await openSource(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
    });
    assert.deepEqual(await readBlob(source, layer), bytes);
    const ranges = rangesOf(registry);
    assert.equal(ranges.length, 3);
    assert.equal(ranges[0], undefined);
    assert.ok((ranges[2] ?? 0) > (ranges[1] ?? 0), ranges.join(", "));
    if (fault.reset === undefined) assert.deepEqual(ranges.slice(1), [1_000_000, 2_000_000]);
  });

test("a blob that breaks off every 64 KiB is read in 46 pieces, each byte once", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 64 * 1024 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  assert.deepEqual(await readBlob(source, layer), bytes);
  assert.deepEqual(
    rangesOf(registry).slice(1),
    Array.from({ length: Math.floor(SIZE / 65_536) }, (_, i) => (i + 1) * 65_536),
  );
});

test("a blob that moves too little at a time is given up, with what broke it", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 64 * 1024 - 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  await assert.rejects(readBlob(source, layer), (error: CopyError) => {
    assert.equal(error.code, "registry_unavailable");
    assert.equal(error.context.side, "source");
    return true;
  });
  assert.equal(gets(registry).length, 9);
});

test("a registry that is away for a moment is asked again, as late as it wants", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  for (const status of [503, 500, 429, 408])
    registry.fail("GET blobs", { status, times: 1, headers: { "retry-after": "0" } });
  registry.fail("GET blobs", { reset: 0, times: 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  assert.deepEqual(await readBlob(source, layer), bytes);
  assert.deepEqual(rangesOf(registry), [undefined, ...Array.from({ length: 6 }, () => 1_000_000)]);
});

const FINAL: readonly (readonly [Fault, CopyError["code"]])[] = [
  [{ status: 404, code: "BLOB_UNKNOWN" }, "source_not_found"],
  [{ status: 403, code: "DENIED" }, "source_unauthorized"],
  [{ status: 400, code: "X" }, "registry_refused"],
  [{ status: 503, headers: { "retry-after": "120" } }, "registry_unavailable"],
  [{ status: 429, headers: { "retry-after": "120" } }, "registry_rate_limited"],
];
for (const [fault, code] of FINAL)
  test(`${fault.status} for the rest of a blob (${JSON.stringify(fault.headers ?? {})}) is ${code}`, async (t) => {
    await using registry = await holding();
    registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
    registry.fail("GET blobs", fault);
    await using source = await openSource(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
    });
    await assert.rejects(readBlob(source, layer), { code });
    assert.equal(gets(registry).length, 2);
  });

test("a registry that says it has no such part is asked for the whole", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  registry.fail("GET blobs", { status: 416, code: "RANGE_INVALID", times: 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  assert.deepEqual(await readBlob(source, layer), bytes);
  assert.deepEqual(rangesOf(registry), [undefined, 1_000_000, undefined]);
});

test("a registry that has no part and not the whole either has refused it", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  registry.fail("GET blobs", { status: 416, code: "RANGE_INVALID" });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  await assert.rejects(readBlob(source, layer), { code: "registry_refused" });
  assert.equal(gets(registry).length, 3);
});

for (const quirk of ["wrong-part", "wrong-total", "multipart", "other-etag"] as const)
  test(`a registry whose parts are wrong (${quirk}) is given up at once`, async (t) => {
    await using registry = await holding([quirk]);
    registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
    await using source = await openSource(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
    });
    await assert.rejects(readBlob(source, layer), { code: "registry_unavailable" });
    assert.equal(gets(registry).length, 2);
  });

test("what is put together of two contents is found out by its digest", async (t) => {
  await using registry = await holding(["other-content"]);
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  const { content } = verify(layer)(await source.getBlob(layer, never));
  await assert.rejects(collect(content), { code: "digest_mismatch" });
  assert.equal(gets(registry).length, 2);
});

test("where Range is ignored the blob is read again, and what is there already is dropped", async (t) => {
  await using registry = await holding(["ignores-range"]);
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  registry.fail("GET blobs", { truncate: 2_000_000, times: 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  assert.deepEqual(await readBlob(source, layer), bytes);
  assert.equal(gets(registry).length, 3);
});

test("where Range is ignored and no more comes than before, it is given up", async (t) => {
  await using registry = await holding(["ignores-range"]);
  registry.fail("GET blobs", { truncate: 1_000_000 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  await assert.rejects(readBlob(source, layer), { code: "registry_unavailable" });
  assert.equal(gets(registry).length, 10);
});

test("every piece is asked for at the registry's own address, and only if the blob is still the same", async (t) => {
  await using registry = await holding(["redirect-blobs"]);
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  // The first is for the address that sends on.
  registry.fail("GET blobs", { truncate: 1_000_000, times: 2 });
  assert.deepEqual(await readBlob(source, layer), bytes);
  assert.equal(gets(registry).length, 2);
  const etag = `"${layer.digest}"`;
  assert.deepEqual(
    registry.elsewhere.map(({ headers }) => [headers.range, headers["if-range"]]),
    [
      [undefined, undefined],
      [`bytes=1000000-${layer.size - 1}`, etag],
    ],
  );
});

test("whoever takes slowly is not lent more with each break", async (t) => {
  const size = 16 * 1024 * 1024;
  const big = makeImage({ layers: [size] });
  await using registry = await startRegistry();
  registry.put("a", "v1", big);
  registry.fail("GET blobs", { truncate: 2 * 1024 * 1024 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  let [lent, most, taken] = [0, 0, 0];
  const { content } = await source.getBlob(big.layers[0]!, never);
  await content.pour((chunk, release) => {
    taken += chunk.length;
    lent += chunk.length;
    most = Math.max(most, lent);
    const { length } = chunk;
    void setImmediate().then(() => {
      lent -= length;
      release();
    });
  }, never);
  assert.equal(taken, size);
  assert.ok(most < 4 * 1024 * 1024, `${most} bytes were lent at once`);
});

test("a blob of unknown size is not gone on with", async (t) => {
  await using registry = await holding();
  registry.fail("GET blobs", { truncate: 1_000_000, times: 1 });
  await using source = await openSource(`${registry.host}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  const { size: _size, ...unsized } = layer;
  const { content } = await source.getBlob(unsized, never);
  await assert.rejects(collect(content), { code: "registry_unavailable" });
  assert.equal(gets(registry).length, 1);
});

test("a byte now and then is a stall, however long it goes on", async (t) => {
  const host = await startHost(t, (request, response) => {
    response.writeHead(200, { "content-length": 1_000_000 });
    const timer = setInterval(() => response.write("x"), 20);
    request.once("close", () => clearInterval(timer));
  });
  await using source = await openSource(`${host.address}/a:v1`, {
    registries: registriesFor(t, QUICK),
  });
  await assert.rejects(readBlob(source, { ...layer, size: 1_000_000 }), {
    code: "transfer_stalled",
  });
});
