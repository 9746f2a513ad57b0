import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../../src/errors.ts";
import { parseList } from "../../../src/image/manifest/list.ts";
import { LIMITS } from "../../../src/image/manifest/manifest.ts";
import { parseImage } from "../../../src/image/manifest/parse.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA2,
} from "../../../src/image/media-types.ts";
import { processorMs } from "../../support/time.ts";

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
  assert.equal(image.config?.mediaType, OCI_CONFIG);
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
  ["a type that nobody knows", "text/html", "<html>", /text\/html/],
  ["an image under a type that nobody knows", "application/json", oci, /says of itself/],
  [
    "another one, which does not say what it is",
    "text/plain",
    without(oci, "mediaType"),
    /ambiguous/,
  ],
  ["no JSON", OCI_MANIFEST, "hello", /cannot be read/],
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
  [
    "a size with an exponent",
    OCI_MANIFEST,
    JSON.stringify(oci).replaceAll('"size":5', '"size":5e0'),
    /size/,
  ],
  [
    "a size with a fraction of nothing",
    OCI_MANIFEST,
    JSON.stringify(oci).replaceAll('"size":5', '"size":5.0'),
    /size/,
  ],
  [
    "a field in a spelling that only Go takes for it",
    OCI_MANIFEST,
    { ...without(oci, "layers"), "layer\u017f": [] },
    /ambiguous/,
  ],
  [
    "more annotations than anybody has",
    OCI_MANIFEST,
    {
      ...oci,
      annotations: Object.fromEntries(
        Array.from({ length: LIMITS.annotations + 1 }, (_, i) => [i, ""]),
      ),
    },
    /1001 annotations/,
  ],
  [
    "an annotation without end",
    OCI_MANIFEST,
    {
      ...oci,
      layers: [descriptor("a", { annotations: { a: "x".repeat(LIMITS.annotationBytes) } })],
    },
    /65536 bytes/,
  ],
  [
    "a megabyte of annotations",
    OCI_INDEX,
    {
      ...index,
      manifests: Array.from({ length: 20 }, () =>
        descriptor(OCI_MANIFEST, { annotations: { a: "x".repeat(60_000) } }),
      ),
    },
    /together/,
  ],
  [
    "more images than anybody has",
    OCI_INDEX,
    { ...index, manifests: Array.from({ length: LIMITS.instances + 1 }, () => descriptor("a")) },
    /1025/,
  ],
  [
    "data that is not base64",
    OCI_MANIFEST,
    { ...oci, config: descriptor("a", { data: "e3" }) },
    /config.data/,
  ],
  [
    "a platform that is text",
    OCI_INDEX,
    { ...index, manifests: [descriptor("a", { platform: "linux" })] },
    /platform/,
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
    {
      schemaVersion: 2,
      mediaType: SCHEMA2,
      config: descriptor(DOCKER_CONFIG),
      layers: [descriptor("text/plain")],
    },
    /schema 2 knows/,
  ],
  [
    "a schema 2 manifest that does not say that it is one",
    SCHEMA2,
    { schemaVersion: 2, config: descriptor(DOCKER_CONFIG), layers: [] },
    /must in its `mediaType`/,
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

for (const [what, type] of [
  ["docker's config", DOCKER_CONFIG],
  ["a docker plugin's config", "application/vnd.docker.plugin.v1+json"],
] as const) {
  test(`schema 2 with ${what} is taken`, () => {
    const image = parseImage(
      raw(SCHEMA2, {
        schemaVersion: 2,
        mediaType: SCHEMA2,
        config: descriptor(type),
        layers: [descriptor(`${DOCKER_LAYER}.gzip`, { annotations: { a: "b" } })],
      }),
    );
    assert.deepEqual(image.layers, [descriptor(`${DOCKER_LAYER}.gzip`)]);
    assert.equal(image.config?.mediaType, type);
  });
}

test("an artifact keeps its config's type, and says what it refers to", () => {
  const subject = descriptor(OCI_MANIFEST);
  const image = parseImage(
    raw(OCI_MANIFEST, {
      ...oci,
      config: descriptor("application/vnd.oci.empty.v1+json"),
      artifactType: "application/x",
      subject,
      annotations: { a: "b" },
    }),
  );
  assert.equal(image.config?.mediaType, "application/vnd.oci.empty.v1+json");
  const { artifactType, annotations } = image;
  assert.deepEqual(
    { artifactType, annotations, subject: image.subject },
    { artifactType: "application/x", annotations: { a: "b" }, subject },
  );
});

test("what is null is absent, and a platform may be empty", () => {
  const nulls = { urls: null, annotations: null, platform: null, artifactType: null, data: null };
  const entries = [descriptor("a", nulls), descriptor("b", { platform: { variant: null } })];
  assert.deepEqual(
    parseList(raw(OCI_INDEX, { ...index, manifests: entries, subject: null })).instances,
    [descriptor("a"), descriptor("b", { platform: { os: "", architecture: "" } })],
  );
});

test("a digest of another algorithm names a layer as well", () => {
  const long = `sha512:${"a".repeat(128)}`;
  const image = parseImage(
    raw(OCI_MANIFEST, { ...oci, layers: [descriptor("a", { digest: long })] }),
  );
  assert.equal(image.layers[0]?.digest, long);
});

test("more layers than 4 MiB hold tersely are refused at once", () => {
  const many = raw(OCI_MANIFEST, {
    ...oci,
    layers: Array.from({ length: 20_000 }, () => descriptor("a")),
  });
  assert.ok(processorMs(() => assert.throws(() => parseImage(many), /20000/)) < 500);
});
