import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf, hexOf } from "../../src/image/digest.ts";
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { sourceOf, destinationOf, read } from "../support/archives.ts";
import { failure, makeDataDir, never } from "../support/folders.ts";
import { missing } from "../support/peers.ts";
import { makeTar } from "../support/raw-tar.ts";

const first = makeTar([{ name: "a", content: "1" }]);
const second = makeTar([{ name: "b", content: "2" }]);

test("layers in files are an image, in their order, with a config made for them", async () => {
  await using dir = await makeDataDir();
  const packed = gzipSync(second);
  await writeFile(join(dir.path, "a.tar"), first);
  await writeFile(join(dir.path, "b.tgz"), packed);
  await utimes(join(dir.path, "a.tar"), 1_700_000_000.25, 1_700_000_000.25);
  await utimes(join(dir.path, "b.tgz"), 1_600_000_000, 1_600_000_000);
  await using source = await sourceOf(dir.path, "tarball:a.tar:b.tgz");
  const { manifest, config, layers } = await read(source);
  const historyOf = (layer: Buffer, created: string) => ({
    created,
    created_by: `/bin/sh -c #(nop) ADD file:${hexOf(digestOf(layer))} in /`,
    comment: "imported from tarball",
  });
  assert.equal(
    config.toString(),
    JSON.stringify({
      created: "2023-11-14T22:13:20.25Z",
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [digestOf(first), digestOf(second)] },
      history: [
        historyOf(first, "2023-11-14T22:13:20.25Z"),
        historyOf(second, "2020-09-13T12:26:40Z"),
      ],
    }),
  );
  assert.equal(
    manifest.bytes.toString(),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers: [
        { mediaType: OCI_LAYER, digest: digestOf(first), size: first.length },
        { mediaType: `${OCI_LAYER}+gzip`, digest: digestOf(packed), size: packed.length },
      ],
    }),
  );
  assert.deepEqual(layers, [first, packed]);
});

test("layers are what they are compressed as, and what manifests have no word for is unpacked", async (t) => {
  const cases: readonly (readonly [
    how: string,
    compress: (layer: Buffer) => Buffer,
    mediaType: string,
    skip: string | false,
  ])[] = [
    ["plain", (layer) => layer, OCI_LAYER, false],
    ["gzip", (layer) => gzipSync(layer), `${OCI_LAYER}+gzip`, false],
    ["zstd", (layer) => zstdCompressSync(layer), `${OCI_LAYER}+zstd`, false],
    ["bzip2", (input) => execFileSync("bzip2", { input }), OCI_LAYER, missing("bzip2")],
    ["xz", (input) => execFileSync("xz", { input }), OCI_LAYER, missing("xz")],
  ];
  for (const [how, compress, mediaType, skip] of cases)
    await t.test(how, { skip }, async () => {
      await using dir = await makeDataDir();
      const file = compress(first);
      await writeFile(join(dir.path, "layer"), file);
      await using source = await sourceOf(dir.path, "tarball:layer");
      const { manifest, config, layers } = await read(source);
      const [layer] = JSON.parse(manifest.bytes.toString()).layers;
      const kept = mediaType === OCI_LAYER ? first : file;
      assert.deepEqual(layer, { mediaType, digest: digestOf(kept), size: kept.length });
      assert.deepEqual(JSON.parse(config.toString()).rootfs.diff_ids, [digestOf(first)]);
      assert.deepEqual(layers, [kept]);
    });
});

test("what the image runs on is said by the client, or this machine's", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), first);
  const platformOf = async (wish: object) => {
    await using source = await sourceOf(dir.path, "tarball:a.tar", wish);
    const { os, architecture, variant } = JSON.parse((await read(source)).config.toString());
    return [os, architecture, variant];
  };
  assert.deepEqual(await platformOf({}), ["linux", "amd64", undefined]);
  assert.deepEqual(await platformOf({ architecture: "arm", variant: "v7" }), [
    "linux",
    "arm",
    "v7",
  ]);
  assert.deepEqual(await platformOf({ os: "freebsd" }), ["freebsd", "amd64", undefined]);
});

test("a file that has changed since is another image", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), first);
  await using source = await sourceOf(dir.path, "tarball:a.tar");
  const pinned = digestOf((await source.getManifest(undefined, never)).bytes);
  await using _ = await sourceOf(dir.path, "tarball:a.tar", { pinned });
  await utimes(join(dir.path, "a.tar"), 1, 1);
  await assert.rejects(
    () => sourceOf(dir.path, "tarball:a.tar", { pinned }),
    failure("source_not_found", /another image/),
  );
});

test("a file before 1970 has its time", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), first);
  await utimes(join(dir.path, "a.tar"), new Date(-500), new Date(-500));
  await using source = await sourceOf(dir.path, "tarball:a.tar");
  assert.equal(
    JSON.parse((await read(source)).config.toString()).created,
    "1969-12-31T23:59:59.5Z",
  );
});

test("what is missing, is no file, is damaged or leads out is refused", async () => {
  await using dir = await makeDataDir();
  await mkdir(join(dir.path, "folder"));
  await writeFile(join(dir.path, "bad"), gzipSync(first).subarray(0, 40));
  const open = (reference: string) => () => sourceOf(dir.path, reference);
  await assert.rejects(open("tarball:a.tar"), failure("source_not_found", /no file `a\.tar`/));
  await assert.rejects(open("tarball:folder"), failure("path_denied", /not a regular file/));
  await assert.rejects(open("tarball:bad"), failure("layer_invalid"));
  await assert.rejects(open("tarball:bad:../x"), failure("path_denied", /data folder/));
  await assert.rejects(
    () => destinationOf(dir.path, "tarball:a.tar"),
    failure("reference_invalid", /source only/),
  );
});
