// What an edit keeps, changes and loses. That conversions are containers/image's own, byte for byte, is shown with skopeo in
// test/interop.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/image/digest.ts";
import { editManifest, type ManifestEdit } from "../../../src/image/manifest/edit.ts";
import { IncompatibleCompression } from "../../../src/image/manifest/layer-types.ts";
import { parseImage } from "../../../src/image/manifest/parse.ts";
import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  OCI_NONDISTRIBUTABLE_LAYER,
  SCHEMA1,
  SCHEMA2,
} from "../../../src/image/media-types.ts";
import { digest, documentOf, entry, imageManifest, update } from "../../support/manifests.ts";

const rejected = (words: RegExp) => (error: unknown) =>
  error instanceof CopyError &&
  error.code === "manifest_rejected" &&
  !(error instanceof IncompatibleCompression) &&
  words.test(error.message);

const OCI_GZIP = `${OCI_LAYER}+gzip`;
const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Hostname: "gone", Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [] },
    history: [{ created_by: "a" }],
  }),
);

test("in OCI, a layer has what its update says, and the manifest keeps what is its own", () => {
  const own = {
    artifactType: "application/x",
    config: entry(OCI_CONFIG, "config", {
      data: "e30=",
      annotations: { c: "d" },
      platform: { os: "o", architecture: "a" },
    }),
    subject: entry(OCI_MANIFEST, "subject", { artifactType: "application/y" }),
    annotations: { b: "<", a: "1" },
  };
  const old = entry(OCI_GZIP, "old", {
    annotations: { old: "1" },
    urls: ["https://old"],
    data: "e30=",
    platform: { os: "o", architecture: "a" },
  });
  const { manifest, config, needsEmptyLayer } = editManifest(
    imageManifest(OCI_MANIFEST, [old], own),
    {
      layers: [
        update("new", {
          operation: "compress",
          compression: "zstd",
          annotations: { new: "2" },
          urls: ["https://new"],
        }),
      ],
    },
    undefined,
  );
  assert.deepEqual(documentOf(manifest), {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    ...own,
    layers: [
      entry(`${OCI_LAYER}+zstd`, "new", { urls: ["https://new"], annotations: { new: "2" } }),
    ],
  });
  assert.equal(manifest.mediaType, OCI_MANIFEST);
  assert.deepEqual([config, needsEmptyLayer], [undefined, false]);
});

test("a manifest that does not say its type still does not say it after an edit", () => {
  const source = imageManifest(OCI_MANIFEST, [entry(OCI_GZIP)], { mediaType: undefined });
  const { manifest } = editManifest(source, { layers: [update("new")] }, undefined);
  assert.equal("mediaType" in documentOf(manifest), false);
});

test("what is written is compact, in the order of Go's fields, with its escapes", () => {
  const { manifest } = editManifest(
    imageManifest(OCI_MANIFEST, [entry(OCI_GZIP)], { annotations: { "9": "\u2028", "10": "<&>" } }),
    { layers: [update("new", { urls: [], annotations: {} })] },
    undefined,
  );
  assert.equal(
    manifest.bytes.toString(),
    `{"schemaVersion":2,"mediaType":"${OCI_MANIFEST}","config":{"mediaType":"${OCI_CONFIG}","digest":"${digest(OCI_CONFIG)}","size":${OCI_CONFIG.length}},"layers":[{"mediaType":"${OCI_GZIP}","digest":"${digest("new")}","size":3}],"annotations":{"10":"\\u003c\\u0026\\u003e","9":"\\u2028"}}`,
  );
});

test("in schema 2, a layer has no annotations", () => {
  const { manifest } = editManifest(
    imageManifest(SCHEMA2, [entry(`${DOCKER_LAYER}.gzip`)]),
    { layers: [update("new", { operation: "decompress", annotations: { a: "b" } })] },
    CONFIG,
  );
  assert.deepEqual(documentOf(manifest).layers, [entry(DOCKER_LAYER, "new")]);
});

// semantics 3.8, and the order of its steps
for (const [what, from, to, layer, change, expected] of [
  [
    "encrypting compressed anew",
    OCI_MANIFEST,
    OCI_MANIFEST,
    OCI_LAYER,
    { operation: "compress", compression: "gzip", crypto: "encrypt" },
    `${OCI_GZIP}+encrypted`,
  ],
  [
    "decrypting",
    OCI_MANIFEST,
    OCI_MANIFEST,
    `${OCI_GZIP}+encrypted`,
    { crypto: "decrypt" },
    OCI_GZIP,
  ],
  [
    "decrypting on the way to schema 2",
    OCI_MANIFEST,
    SCHEMA2,
    `${OCI_GZIP}+encrypted`,
    { crypto: "decrypt" },
    `${DOCKER_LAYER}.gzip`,
  ],
  [
    "recompressing on the way to schema 2",
    OCI_MANIFEST,
    SCHEMA2,
    `${OCI_LAYER}+zstd`,
    { operation: "compress", compression: "gzip" },
    `${DOCKER_LAYER}.gzip`,
  ],
  [
    "decompressing on the way to schema 2",
    OCI_MANIFEST,
    SCHEMA2,
    `${OCI_NONDISTRIBUTABLE_LAYER}+zstd`,
    { operation: "decompress" },
    DOCKER_FOREIGN_LAYER,
  ],
  [
    "compressing with zstd on the way to OCI",
    SCHEMA2,
    OCI_MANIFEST,
    `${DOCKER_LAYER}.gzip`,
    { operation: "compress", compression: "zstd:chunked" },
    `${OCI_LAYER}+zstd`,
  ],
  [
    "docker's zstd on the way to OCI",
    SCHEMA2,
    OCI_MANIFEST,
    `${DOCKER_LAYER}.zstd`,
    {},
    `${OCI_LAYER}+zstd`,
  ],
  [
    "encrypting on the way to OCI",
    SCHEMA2,
    OCI_MANIFEST,
    `${DOCKER_LAYER}.gzip`,
    { crypto: "encrypt" },
    `${OCI_GZIP}+encrypted`,
  ],
  [
    "downloading a foreign layer",
    SCHEMA2,
    SCHEMA2,
    `${DOCKER_FOREIGN_LAYER}.gzip`,
    {},
    `${DOCKER_FOREIGN_LAYER}.gzip`,
  ],
] as const) {
  test(`${what} makes ${layer} ${expected}`, () => {
    const edit = { mediaType: to, layers: [update("new", change)] };
    const { manifest } = editManifest(imageManifest(from, [entry(layer)]), edit, CONFIG);
    assert.deepEqual(parseImage(manifest).layers, [entry(expected, "new")]);
  });
}

for (const [what, from, to, layer, change, words] of [
  [
    "encryption in schema 2",
    SCHEMA2,
    SCHEMA2,
    `${DOCKER_LAYER}.gzip`,
    { crypto: "encrypt" },
    /docker's manifests cannot say/,
  ],
  [
    "encryption in schema 1",
    SCHEMA2,
    SCHEMA1,
    `${DOCKER_LAYER}.gzip`,
    { crypto: "encrypt" },
    /docker's manifests cannot say/,
  ],
  [
    "a layer encrypted twice",
    OCI_MANIFEST,
    OCI_MANIFEST,
    `${OCI_GZIP}+encrypted`,
    { crypto: "encrypt" },
    /counterpart/,
  ],
  [
    "a plain layer decrypted",
    OCI_MANIFEST,
    OCI_MANIFEST,
    OCI_GZIP,
    { crypto: "decrypt" },
    /not encrypted/,
  ],
  [
    "an unknown layer compressed",
    OCI_MANIFEST,
    OCI_MANIFEST,
    "text/plain",
    { operation: "compress", compression: "gzip" },
    /compressed otherwise/,
  ],
  ["a zstd layer as it is in schema 2", OCI_MANIFEST, SCHEMA2, `${OCI_LAYER}+zstd`, {}, /zstd/],
  [
    "an encrypted layer in schema 2",
    OCI_MANIFEST,
    SCHEMA2,
    `${OCI_GZIP}+encrypted`,
    {},
    /encrypted/,
  ],
  ["an image that is a list", OCI_MANIFEST, OCI_INDEX, OCI_GZIP, {}, /cannot be written as/],
] as const) {
  test(`${what} cannot be said`, () => {
    const edit: ManifestEdit = { mediaType: to, layers: [update("new", change)] };
    assert.throws(
      () => editManifest(imageManifest(from, [entry(layer)]), edit, CONFIG),
      rejected(words),
    );
  });
}

test("a type that nobody knows is none to write", () => {
  const source = imageManifest(OCI_MANIFEST, [entry(OCI_GZIP)]);
  for (const mediaType of ["", "text/plain", "application/json"])
    assert.throws(() => editManifest(source, { mediaType }, CONFIG), rejected(/cannot be written/));
});

test("zstd in docker's formats can be said in another one, and the error says so", () => {
  for (const mediaType of [SCHEMA2, SCHEMA1]) {
    const layers = [update("new", { operation: "compress", compression: "zstd" })];
    const source = imageManifest(SCHEMA2, [entry(`${DOCKER_LAYER}.gzip`)]);
    assert.throws(
      () => editManifest(source, { mediaType, layers }, CONFIG),
      IncompatibleCompression,
    );
  }
});

test("an artifact is edited in place, and becomes nothing else", () => {
  const artifact = imageManifest(OCI_MANIFEST, [entry("text/plain")], {
    config: entry("application/vnd.oci.empty.v1+json"),
  });
  const { manifest } = editManifest(artifact, { layers: [update("new")] }, undefined);
  assert.deepEqual(parseImage(manifest).layers, [entry("text/plain", "new")]);
  assert.throws(
    () => editManifest(artifact, { mediaType: SCHEMA2 }, CONFIG),
    rejected(/no container image/),
  );
  const mixed = imageManifest(OCI_MANIFEST, [], { config: entry(DOCKER_CONFIG) });
  assert.throws(() => editManifest(mixed, { mediaType: SCHEMA2 }, CONFIG), rejected(/neither/));
});

test("the config of an image that becomes OCI is a new blob; of one that becomes schema 2 it is the old one", () => {
  const oci = editManifest(
    imageManifest(SCHEMA2, [entry(`${DOCKER_LAYER}.gzip`)]),
    { mediaType: OCI_MANIFEST },
    CONFIG,
  );
  assert.deepEqual(parseImage(oci.manifest).config, oci.config?.descriptor);
  assert.equal(oci.config?.descriptor.digest, digestOf(oci.config?.bytes ?? Buffer.of()));
  assert.equal(documentOf(oci.config).config.Hostname, undefined);
  const docker = editManifest(
    imageManifest(OCI_MANIFEST, [entry(OCI_GZIP)]),
    { mediaType: SCHEMA2 },
    CONFIG,
  );
  assert.equal(docker.config, undefined);
  assert.deepEqual(parseImage(docker.manifest).config, {
    ...entry(OCI_CONFIG),
    mediaType: DOCKER_CONFIG,
  });
});

test("a config that is malformed makes the image invalid", () => {
  for (const [text, words] of [
    ["{", /config is refused/],
    ['{"os":"a","OS":"b"}', /two spellings/],
    ['{"config":{"Env":["A"],"Env":[]}}', /occurs twice/],
    ['{"history":[{"created":"yesterday"}]}', /`history\[0\].created` is not a time/],
  ] as const)
    assert.throws(
      () =>
        editManifest(imageManifest(SCHEMA2, []), { mediaType: OCI_MANIFEST }, Buffer.from(text)),
      (error) =>
        error instanceof CopyError &&
        error.code === "manifest_invalid" &&
        words.test(error.message),
    );
});

test("updates that are not one a layer are a mistake of ours, not the image's", () => {
  for (const mediaType of [SCHEMA1, SCHEMA2, OCI_MANIFEST])
    assert.throws(
      () =>
        editManifest(
          imageManifest(SCHEMA2, [entry(DOCKER_LAYER)]),
          { mediaType, layers: [update("a"), update("b")] },
          CONFIG,
        ),
      (error) =>
        error instanceof Error &&
        !(error instanceof CopyError) &&
        /2 updates for 1/.test(error.message),
    );
});
