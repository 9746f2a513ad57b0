// Parts of blobs that were read before: from every source that can begin in the middle.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Source } from "../../src/copy/interfaces.ts";
import { collect, never } from "../support/bytes.ts";
import { accessTo, makeDataDir, openSource, write } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { registriesFor, openSource as openRegistry } from "./docker-setup.ts";

const SIZE = 1_000_000;
const image = makeImage({ layers: [SIZE] });
const layer = image.layers[0] ?? assert.fail();
const bytes = image.blobs.get(layer.digest) ?? assert.fail();
const SPANS = [
  [0, SIZE],
  [0, 1],
  [1, 2],
  [123_456, 654_321],
  [SIZE - 1, SIZE],
] as const;

async function readSpans(source: Source): Promise<void> {
  const { content, again = assert.fail() } = await source.getBlob(layer, never);
  assert.deepEqual(await collect(content), bytes);
  for (const [from, to] of SPANS)
    assert.deepEqual(await collect(again({ from, to })), bytes.subarray(from, to), `${from}-${to}`);
}

for (const text of ["oci:layout:v1", "dir:image", "oci-archive:image.tar:v1"])
  test(`${text} is read again from wherever it is wanted`, async () => {
    await using dir = await makeDataDir();
    await write(text, image, accessTo(dir.path, "destination"));
    const access = accessTo(dir.path, "source");
    await using source = await openSource(text, access);
    await readSpans(source);
  });

for (const quirks of [[], ["ignores-range"]] as const)
  test(`a registry (${quirks.join(", ")}) is read again from wherever it is wanted`, async (t) => {
    await using registry = await startRegistry({ quirks });
    registry.put("a", "v1", image);
    await using source = await openRegistry(`${registry.host}/a:v1`, {
      registries: registriesFor(t),
    });
    await readSpans(source);
  });

test("a part that breaks off goes on as the whole does", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  await using source = await openRegistry(`${registry.host}/a:v1`, {
    registries: registriesFor(t, { breakMs: 1 }),
  });
  const { again = assert.fail() } = await source.getBlob(layer, never);
  registry.fail("GET blobs", { truncate: 100_000, times: 3 });
  assert.deepEqual(
    await collect(again({ from: 500_000, to: 900_000 })),
    bytes.subarray(500_000, 900_000),
  );
  assert.deepEqual(
    registry.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined),
    [500_000, 600_000, 700_000, 800_000].map((from) => `bytes=${from}-899999`),
  );
});

test("what is read again comes though all that was lent of the first reading is still held", async (t) => {
  const large = makeImage({ layers: [4 * 1024 * 1024], seed: "held" });
  const blob = large.layers[0] ?? assert.fail();
  await using registry = await startRegistry();
  registry.put("a", "v1", large);
  await using source = await openRegistry(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  const { content, again = assert.fail() } = await source.getBlob(blob, never);
  const held: (() => void)[] = [];
  await content.pour((_chunk, release) => void held.push(release), never);
  for (let i = 0; i < 3; i++)
    assert.deepEqual(
      await collect(again({ from: 0, to: blob.size })),
      large.blobs.get(blob.digest),
    );
  assert.ok(held.length > 0);
});
