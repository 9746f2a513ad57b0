// Manifests that are too large, too deep or too many (reliability T21, T22), whose reader must keep its memory and go on turning.

import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { startHost } from "../support/host.ts";
import { makeImage } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import { assertWithin, BOUNDS, useCopier } from "./copier.ts";
import { honest, SOURCES, withTop } from "./sources.ts";

const { bench, copier } = useCopier();
const MIB = 1024 * 1024;
const image = makeImage();
const document = documentOf(image.manifest);
const text = JSON.stringify(document);
const digest = `sha256:${"a".repeat(64)}`;
const layer = { mediaType: OCI_LAYER, digest, size: 5 };
/** The image with something besides, before all else. */
const besides = (field: string): string => text.replace("{", `{${field},`);
const layers = (count: number) => ({
  ...document,
  layers: Array.from({ length: count }, () => layer),
});
/** As tersely as it can be said. */
const terse = (count: number): string =>
  besides(`"x":[${Array.from({ length: count }, () => `{"digest":"${digest}"}`).join(",")}]`);
const annotations = (count: number, bytes: number) => ({
  annotations: Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${i}`, "x".repeat(bytes)]),
  ),
});
const rest = (open: string): string => open.repeat(Math.floor((4 * MIB - 1) / open.length));

for (const [name, mediaType, make] of [
  ["4 MiB of brackets", OCI_MANIFEST, () => rest("[")],
  ["4 MiB of objects in objects", OCI_MANIFEST, () => rest('{"a":')],
  ["4 MiB of quotes", OCI_MANIFEST, () => rest('"')],
  ["4 MiB of backslashes", OCI_MANIFEST, () => `{"${rest("\\")}`],
  ["a million empty objects", OCI_MANIFEST, () => besides(`"x":[${"{},".repeat(1_000_000)}{}]`)],
  ["a million zeros", OCI_MANIFEST, () => besides(`"x":[${"0,".repeat(1_000_000)}0]`)],
  ["more layers than anybody has", OCI_MANIFEST, () => layers(20_000)],
  ["more layers than 4 MiB hold", OCI_MANIFEST, () => layers(100_000)],
  [
    "a million layers",
    OCI_MANIFEST,
    () => `{"layers":[${`${JSON.stringify(layer)},`.repeat(1_000_000)}`,
  ],
  [
    "40,000 terse layers",
    OCI_MANIFEST,
    () =>
      terse(40_000)
        .replace('"x"', '"layers"')
        .replace(/,"layers":.*$/, "}"),
  ],
  [
    "more images than anybody has",
    OCI_INDEX,
    () => ({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: Array.from({ length: 30_000 }, () => layer),
    }),
  ],
  ["thousands of annotations", OCI_MANIFEST, () => ({ ...document, ...annotations(100_000, 10) })],
  ["an annotation of 3 MiB", OCI_MANIFEST, () => ({ ...document, ...annotations(1, 3 * MIB) })],
  [
    "annotations of 3 MiB together",
    OCI_MANIFEST,
    () => ({ ...document, ...annotations(60, 50_000) }),
  ],
  [
    "a key of 4 MiB, twice",
    OCI_MANIFEST,
    () => besides(`"${"a".repeat(2 * MIB - 600)}":1,"${"a".repeat(2 * MIB - 600)}":2`),
  ],
  ["numbers with a point", OCI_MANIFEST, () => besides(`"x":[${"1.5,".repeat(300_000)}0]`)],
  [
    "a quarter of a million keys, the last one twice",
    OCI_MANIFEST,
    () => besides(`${Array.from({ length: 240_000 }, (_, i) => `"${i}":0`).join(",")},"0":0`),
  ],
  ["a number of 4 million digits", OCI_MANIFEST, () => besides(`"x":${"9".repeat(4_000_000)}`)],
  ["blanks without end", OCI_MANIFEST, () => " ".repeat(5 * MIB)],
] as const) {
  test(`refused in time and in little memory: ${name}`, async () => {
    const hostile = withTop(honest(image), mediaType, make());
    for (const kind of SOURCES)
      await copier().assertRefused(await bench().place(kind, hostile), {
        code: "manifest_invalid",
      });
  });
}

test("as much as is allowed is copied, in time and in little memory", async () => {
  const [own] = document.layers;
  const many = { ...document, layers: Array.from({ length: 10_000 }, () => own) };
  for (const kind of SOURCES) {
    const source = await bench().place(kind, withTop(honest(image), OCI_MANIFEST, many));
    const measured = await copier().copy({ source, destination: bench().destination(), given: {} });
    assert.equal(measured.code, "copied", measured.message);
    assertWithin(measured, { ms: 20_000, grownMiB: 256 });
  }
});

/** Sends the same bytes until nobody takes them any more, or `size` is reached. */
const sending =
  (size: number, headers: Record<string, string>, byte = " "): RequestListener =>
  (_, response) => {
    const chunk = Buffer.alloc(64 * 1024, byte);
    let sent = 0;
    const go = (): void => {
      while (sent < size && !response.destroyed) {
        sent += chunk.length;
        if (!response.write(chunk)) return;
      }
      response.end();
    };
    response.writeHead(200, headers).on("drain", go);
    go();
  };
const type = { "content-type": OCI_MANIFEST };
const LENGTH = 100 * MIB;
const zeros = gzipSync(Buffer.alloc(LENGTH));

for (const [name, answer, code] of [
  ["a body without end", sending(Infinity, type), "manifest_invalid"],
  ["a body of brackets without end", sending(Infinity, type, "["), "manifest_invalid"],
  ["100 MiB", sending(LENGTH, { ...type, "content-length": `${LENGTH}` }), "manifest_invalid"],
  ["100 MiB whose length is not told", sending(LENGTH, type), "manifest_invalid"],
  [
    "100 MiB of zeros as gzip",
    ((_, response) =>
      response
        .writeHead(200, { ...type, "content-encoding": "gzip" })
        .end(zeros)) as RequestListener,
    "registry_unavailable",
  ],
] as const) {
  test(`a registry that answers with ${name} is refused in a moment, and its connection is closed`, async (t) => {
    const host = await startHost(t, { "/v2/app/manifests/v1": answer });
    const source = `docker://${host.address}/app:v1`;
    await copier().assertRefused(source, { code }, {}, undefined, { grownMiB: 64, ms: 5000 });
  });
}

test("a layer without end is refused at the first byte too many", async (t) => {
  const {
    layers: [first],
  } = image;
  const host = await startHost(t, {
    "/v2/app/manifests/v1": (_, response) =>
      response.writeHead(200, type).end(image.manifest.bytes),
    [`/v2/app/blobs/${image.config.digest}`]: (_, response) =>
      response.end(image.blobs.get(image.config.digest)),
    [`/v2/app/blobs/${first?.digest}`]: sending(Infinity, {}),
  });
  const source = `docker://${host.address}/app:v1`;
  await copier().assertRefused(source, { code: "size_mismatch" }, {}, undefined, { ms: 5000 });
});

test("files that are larger than any disk are not read: a manifest, an index, a signature", async () => {
  for (const [kind, file] of [
    ["dir", "manifest.json"],
    ["oci", "index.json"],
    ["dir", "signature-1"],
    ["dir", "version"],
  ] as const) {
    const source = await bench().place(kind, honest(makeImage({ seed: file })));
    const path = join(bench().dataDir, source.split(":")[1] ?? "", file);
    await writeFile(path, "", { flag: "a" });
    await truncate(path, 1024 ** 4);
    await copier().assertRefused(source, { code: "manifest_invalid", words: /more than/ });
  }
});

test("a layout's index may be large, and is read in time", async () => {
  const source = await bench().place("oci", honest(image));
  const path = join(bench().dataDir, source.split(":")[1] ?? "", "index.json");
  const entry = { mediaType: OCI_MANIFEST, digest, size: 5, annotations: { x: "y".repeat(20) } };
  const index = { schemaVersion: 2, manifests: Array.from({ length: 20_000 }, () => entry) };
  await writeFile(path, JSON.stringify(index));
  await copier().assertRefused(source, {
    code: "source_not_found",
    words: /no image of that name/,
  });
  await writeFile(path, `{"manifests":[${`${JSON.stringify(entry)},`.repeat(90_000)}`);
  await copier().assertRefused(source, { code: "manifest_invalid" });
});

test("one who blocks the event loop, or hoards memory, is found out", () => {
  const good = {
    code: "x",
    side: undefined,
    message: "",
    ms: 1,
    grownMiB: 1,
    blockedMs: 1,
    workedMs: 1,
  };
  assertWithin(good);
  for (const key of ["ms", "grownMiB", "blockedMs", "workedMs"] as const)
    assert.throws(() => assertWithin({ ...good, [key]: BOUNDS[key] + 1 }), new RegExp(key));
});
