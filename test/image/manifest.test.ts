import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { parseList } from "../../src/image/manifest/list.ts";
import { guessMediaType } from "../../src/image/manifest/manifest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";

const digest = `sha256:${"a".repeat(64)}`;
const descriptor = (mediaType: string, more: object = {}) => ({
  mediaType,
  digest,
  size: 5,
  ...more,
});
const raw = (mediaType: string, document: unknown) => ({
  mediaType,
  bytes: Buffer.from(typeof document === "string" ? document : JSON.stringify(document)),
});
const oci = {
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: descriptor(OCI_CONFIG),
  layers: [descriptor(`${OCI_LAYER}+gzip`)],
};
const index = {
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: [descriptor(OCI_MANIFEST, { platform: { os: "linux", architecture: "amd64" } })],
};
const without = (document: object, ...fields: string[]) =>
  Object.fromEntries(Object.entries(document).filter(([key]) => !fields.includes(key)));

// semantics 3.1 and 11.3 A
for (const [what, document, type] of [
  ["a schema 2 manifest", { schemaVersion: 2, mediaType: SCHEMA2 }, SCHEMA2],
  [
    "a schema 2 manifest without its type",
    { schemaVersion: 2, config: descriptor(DOCKER_CONFIG), layers: [] },
    SCHEMA2,
  ],
  ["a docker list", { schemaVersion: 2, mediaType: DOCKER_LIST }, DOCKER_LIST],
  ["signed schema 1", { schemaVersion: 1, signatures: [{}] }, SCHEMA1_SIGNED],
  ["unsigned schema 1", { schemaVersion: 1 }, SCHEMA1],
  [
    "schema 1 that calls itself something else",
    { schemaVersion: 1, mediaType: SCHEMA1_SIGNED },
    SCHEMA1,
  ],
  ["an OCI manifest", oci, OCI_MANIFEST],
  ["an OCI manifest without its type", without(oci, "mediaType"), OCI_MANIFEST],
  [
    "an OCI artifact without its type",
    { schemaVersion: 2, config: descriptor("application/x"), layers: [] },
    OCI_MANIFEST,
  ],
  ["an OCI index without its type", without(index, "mediaType"), OCI_INDEX],
  ["an unknown version", { schemaVersion: 99 }, ""],
  ["no JSON", "hello", ""],
] as const) {
  test(`${what} is taken for ${type || "nothing"}`, () =>
    assert.equal(guessMediaType(raw("", document).bytes), type));
}

test("an image has its config and its layers, root first", () => {
  const image = parseImage(
    raw(OCI_MANIFEST, {
      ...oci,
      layers: [
        descriptor("a"),
        descriptor("b", { urls: ["https://example.com/b"], annotations: { x: "y" } }),
      ],
    }),
  );
  assert.deepEqual(
    image.layers.map((l) => l.mediaType),
    ["a", "b"],
  );
  assert.deepEqual(image.layers[1]?.urls, ["https://example.com/b"]);
  assert.equal(image.config.mediaType, OCI_CONFIG);
});

test("a list has its instances with their platforms", () => {
  assert.deepEqual(parseList(raw(OCI_INDEX, index)).instances[0]?.platform, {
    os: "linux",
    architecture: "amd64",
  });
  assert.deepEqual(parseList(raw(OCI_INDEX, { ...index, manifests: [] })).instances, []);
});

for (const [what, type, document, why] of [
  ["a manifest that is an index too", OCI_MANIFEST, { ...oci, manifests: [] }, /ambiguous/],
  ["an index that has layers", OCI_INDEX, { ...index, layers: [] }, /ambiguous/],
  [
    "a field in another spelling",
    OCI_MANIFEST,
    { ...without(oci, "layers"), Layers: [] },
    /ambiguous/,
  ],
  [
    "a manifest served under another type",
    OCI_MANIFEST,
    { ...oci, mediaType: SCHEMA2 },
    /served as/,
  ],
  ["a list where an image is expected", OCI_INDEX, index, /not an image/],
  ["schema 1", SCHEMA1_SIGNED, { schemaVersion: 1 }, /schema 1/],
  ["a type that nobody knows", "text/html", "<html>", /not an image/],
  ["no JSON", OCI_MANIFEST, "hello", /refused/],
  [
    "a digest that is a path",
    OCI_MANIFEST,
    { ...oci, layers: [descriptor("a", { digest: "sha256:../../x" })] },
    /layers\[0\].digest/,
  ],
  ["a size below zero", OCI_MANIFEST, { ...oci, layers: [descriptor("a", { size: -1 })] }, /size/],
  ["a size that is text", OCI_MANIFEST, { ...oci, config: descriptor("a", { size: "5" }) }, /size/],
  [
    "a size that is no integer",
    OCI_MANIFEST,
    { ...oci, config: descriptor("a", { size: 1.5 }) },
    /size/,
  ],
  ["no config", OCI_MANIFEST, without(oci, "config"), /config/],
  ["layers that are no list", OCI_MANIFEST, { ...oci, layers: {} }, /not an array/],
  [
    "more layers than anybody has",
    OCI_MANIFEST,
    { ...oci, layers: Array.from({ length: 10_001 }, () => descriptor("a")) },
    /10001/,
  ],
  [
    "a layer type that schema 2 does not know",
    SCHEMA2,
    { schemaVersion: 2, config: descriptor(DOCKER_CONFIG), layers: [descriptor("text/plain")] },
    /schema 2 knows/,
  ],
] as const) {
  test(`${what} is refused with its reason`, () => {
    const parse =
      type === OCI_INDEX && what !== "a list where an image is expected" ? parseList : parseImage;
    assert.throws(
      () => parse(raw(type, document)),
      (error) =>
        error instanceof CopyError &&
        error.code === "manifest_invalid" &&
        error.context.side === "source" &&
        why.test(error.message),
    );
  });
}

test("a schema 2 image with docker's own types is taken", () => {
  const image = parseImage(
    raw(SCHEMA2, {
      schemaVersion: 2,
      mediaType: SCHEMA2,
      config: descriptor(DOCKER_CONFIG),
      layers: [descriptor(`${DOCKER_LAYER}.gzip`)],
    }),
  );
  assert.equal(image.layers.length, 1);
});
