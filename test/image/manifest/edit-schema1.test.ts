// Schema 1 with its layers for each step of the history. That conversions are containers/image's own, byte for byte, is shown with skopeo
// in test/interop.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { CopyError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/image/digest.ts";
import { editManifest } from "../../../src/image/manifest/edit.ts";
import { EMPTY_LAYER } from "../../../src/image/manifest/empty-layer.ts";
import { manifestDigest } from "../../../src/image/manifest/manifest.ts";
import { parseImage } from "../../../src/image/manifest/parse.ts";
import { parseSchema1, writeSchema1 } from "../../../src/image/manifest/schema1.ts";
import {
  DOCKER_LAYER,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../../src/image/media-types.ts";
import { digest, documentOf, entry, imageManifest, update } from "../../support/manifests.ts";

const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Hostname: "gone", Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [] },
    history: [{ created_by: "a" }, { created_by: "b", empty_layer: true }, { created_by: "c" }],
  }),
);

const LAYERS = [entry(`${DOCKER_LAYER}.gzip`, "a"), entry(`${DOCKER_LAYER}.gzip`, "c")];
const EMPTY = { mediaType: "", digest: EMPTY_LAYER.digest, empty: true };
const named = (name: string) => ({ mediaType: "", digest: digest(name) });

test("schema 1 has a layer for each step of the history, an empty one for those that changed no file, and its name", () => {
  const embeddedReference = { repository: "library/app", tag: "1" };
  const made = editManifest(
    imageManifest(SCHEMA2, LAYERS),
    { mediaType: SCHEMA1, embeddedReference },
    CONFIG,
  );
  assert.equal(made.manifest.mediaType, SCHEMA1_SIGNED);
  assert.equal(made.needsEmptyLayer, true);
  assert.deepEqual(parseImage(made.manifest).layers, [named("a"), EMPTY, named("c")]);
  const { name, tag, architecture } = parseSchema1(made.manifest);
  assert.deepEqual(
    { name, tag, architecture },
    { name: "library/app", tag: "1", architecture: "amd64" },
  );
});

test("a schema 1 image is given other layers and another name in place", () => {
  const { manifest } = editManifest(imageManifest(SCHEMA2, LAYERS), { mediaType: SCHEMA1 }, CONFIG);
  const layers = [update("x"), update("y"), update("z", { operation: "decompress" })];
  const edit = { layers, embeddedReference: { repository: "other", tag: "" } };
  const edited = editManifest(
    { ...manifest, mediaType: "" },
    { ...edit, mediaType: SCHEMA1 },
    undefined,
  );
  assert.equal(edited.needsEmptyLayer, false);
  assert.deepEqual(parseImage(edited.manifest).layers, [
    named("x"),
    { ...named("y"), empty: true },
    named("z"),
  ]);
  assert.equal(parseSchema1(edited.manifest).name, "other");
  assert.notEqual(manifestDigest(edited.manifest), manifestDigest(manifest));
});

test("schema 1 becomes another type with the sizes, types and diffIDs of its layers that are not empty", () => {
  const { manifest } = editManifest(imageManifest(SCHEMA2, LAYERS), { mediaType: SCHEMA1 }, CONFIG);
  const layers = [update("aa"), update("e"), update("cc", { operation: "decompress" })];
  const diffIds = ["1", "2", "3"].map(digest);
  for (const [mediaType, types] of [
    [SCHEMA2, [`${DOCKER_LAYER}.gzip`, DOCKER_LAYER]],
    [OCI_MANIFEST, [`${OCI_LAYER}+gzip`, OCI_LAYER]],
  ] as const) {
    const made = editManifest(manifest, { mediaType, layers, diffIds }, undefined);
    assert.deepEqual(parseImage(made.manifest).layers, [
      entry(types[0], "aa"),
      entry(types[1], "cc"),
    ]);
    const config = documentOf(made.config ?? assert.fail());
    assert.deepEqual(config.rootfs, { type: "layers", diff_ids: [diffIds[0], diffIds[2]] });
    assert.deepEqual(
      config.history.map((step: { empty_layer?: boolean }) => step.empty_layer ?? false),
      [false, true, false],
    );
  }
  assert.throws(
    () => editManifest(manifest, { mediaType: SCHEMA2, layers }, undefined),
    (error) =>
      error instanceof CopyError &&
      error.code === "manifest_rejected" &&
      /uncompressed/.test(error.message),
  );
});

test("what docker could not read becomes neither schema 1 nor comes from it", () => {
  const invalid = (error: unknown) =>
    error instanceof CopyError &&
    error.code === "manifest_invalid" &&
    /`config.MacAddress`/.test(error.message);
  const config = Buffer.from('{"config":{"MacAddress":5},"history":[{"empty_layer":true}]}');
  const source = imageManifest(SCHEMA2, []);
  assert.throws(() => editManifest(source, { mediaType: SCHEMA1 }, config), invalid);
  const v1Compatibility = `{"id":"${"a".repeat(64)}","config":{"MacAddress":5}}`;
  const entries = [{ blobSum: digest("a"), v1Compatibility }] as const;
  const manifest = writeSchema1({ name: "", tag: "", architecture: "", entries });
  const edit = { mediaType: SCHEMA2, layers: [update("a")], diffIds: [digest("a")] };
  assert.throws(() => editManifest(manifest, edit, undefined), invalid);
});

test("schema 1 of empty layers only becomes an image without layers", () => {
  const config = Buffer.from('{"history":[{"empty_layer":true}]}');
  const { manifest } = editManifest(imageManifest(SCHEMA2, []), { mediaType: SCHEMA1 }, config);
  for (const mediaType of [SCHEMA2, OCI_MANIFEST]) {
    const edit = { mediaType, layers: [update("e")], diffIds: [digest("e")] };
    assert.deepEqual(documentOf(editManifest(manifest, edit, undefined).manifest).layers, []);
  }
});

test("the empty layer is an empty tar, under its digest", () => {
  assert.equal(digestOf(EMPTY_LAYER.bytes), EMPTY_LAYER.digest);
  assert.deepEqual(gunzipSync(EMPTY_LAYER.bytes), Buffer.alloc(1024));
});
