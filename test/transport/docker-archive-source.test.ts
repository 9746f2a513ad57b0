import assert from "node:assert/strict";
import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/image/digest.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { listTags } from "../../src/transport/open.ts";
import { parseReference } from "../../src/image/reference.ts";
import { makePlainImage, newSave, oldSave, read, sourceOf } from "../support/archives.ts";
import { accessTo, failure, filesBelow, makeDataDir, never } from "../support/folders.ts";
import { makeTar, type TarMember } from "../support/raw-tar.ts";

const a = makePlainImage("a");
const b = makePlainImage("b", 3);

test("an archive of one image is read, whichever docker has saved it", async (t) => {
  const one = [{ image: a, tags: ["busybox:1"] }];
  const archives: readonly (readonly [how: string, archive: Buffer])[] = [
    ["before docker 25", oldSave(one)],
    ["since docker 25", newSave(one)],
    ["with compressed layers, as containerd keeps them", newSave(one, (layer) => gzipSync(layer))],
    ["with layers in zstd", newSave(one, (layer) => zstdCompressSync(layer))],
    ["the archive compressed with gzip", gzipSync(oldSave(one))],
    ["the archive compressed with zstd", zstdCompressSync(newSave(one))],
  ];
  for (const [how, archive] of archives)
    await t.test(how, async () => {
      await using dir = await makeDataDir();
      await writeFile(join(dir.path, "a.tar"), archive);
      for (const which of ["", ":busybox:1", ":docker.io/library/busybox:1", ":@0"]) {
        await using source = await sourceOf(dir.path, `docker-archive:a.tar${which}`);
        assert.deepEqual(await read(source), a);
        assert.deepEqual(await source.getSignatures(undefined, never), []);
      }
      assert.deepEqual(await filesBelow(dir.path), ["a.tar"]);
    });
});

test("of several images one is chosen by any of its names, or by its place", async (t) => {
  await using dir = await makeDataDir();
  const images = [
    { image: a, tags: ["one.example/app:1", "busybox:latest"] },
    { image: b, tags: null },
    { image: makePlainImage("a"), tags: ["not a name", "one.example/app:2"] },
  ];
  await writeFile(join(dir.path, "a.tar"), oldSave(images));
  for (const [which, image] of [
    ["one.example/app:1", a],
    ["busybox", a],
    ["@1", b],
    ["one.example/app:2", a],
  ] as const)
    await t.test(which, async () => {
      await using source = await sourceOf(dir.path, `docker-archive:a.tar:${which}`);
      assert.deepEqual(await read(source), image);
    });
  for (const [which, words] of [
    ["", /3 images.*one\.example\/app:1/],
    [":busybox:2", /no image of that name/],
    [":@3", /no image @3, the archive has 3/],
  ] as const)
    await assert.rejects(
      () => sourceOf(dir.path, `docker-archive:a.tar${which}`),
      failure("source_not_found", words),
    );
  const tags = await listTags(
    parseReference("docker-archive:a.tar"),
    accessTo(dir.path, "source"),
    never,
  );
  assert.deepEqual(tags, [
    "one.example/app:1",
    "docker.io/library/busybox:latest",
    "@1",
    "not a name",
    "one.example/app:2",
  ]);
});

test("a layer that occurs twice is one blob, and a link to it has its size", async () => {
  await using dir = await makeDataDir();
  const [layer = Buffer.alloc(0)] = a.layers;
  const config = Buffer.from(
    JSON.stringify({ rootfs: { diff_ids: [digestOf(layer), digestOf(layer)] } }),
  );
  const image = { config, layers: [layer, layer], manifest: a.manifest };
  await writeFile(
    join(dir.path, "a.tar"),
    oldSave([
      { image: a, tags: null },
      { image, tags: null },
    ]),
  );
  await using source = await sourceOf(dir.path, "docker-archive:a.tar:@1");
  const { layers, manifest } = await read(source);
  assert.deepEqual(layers, [layer, layer]);
  assert.equal(manifest.bytes.toString().split(`"size":${layer.length},`).length, 3);
});

test("an archive that was replaced is not taken for the one that the job began with", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), oldSave([{ image: a, tags: null }]));
  const open = (pinned: ReturnType<typeof digestOf>) =>
    sourceOf(dir.path, "docker-archive:a.tar", { pinned });
  await using _ = await open(manifestDigest(a.manifest));
  await assert.rejects(
    () => open(manifestDigest(b.manifest)),
    failure("source_not_found", /another image/),
  );
});

test("what is open stays readable when the archive is replaced", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), oldSave([{ image: a, tags: null }]));
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  await writeFile(join(dir.path, "b.tar"), oldSave([{ image: b, tags: null }]));
  await rename(join(dir.path, "b.tar"), join(dir.path, "a.tar"));
  assert.deepEqual(await read(source), a);
});

const config = { name: "c.json", content: a.config };
const layers: readonly TarMember[] = a.layers.map((content, i) => ({ name: `${i}.tar`, content }));
const listed = (item: object): TarMember => ({
  name: "manifest.json",
  content: JSON.stringify([
    { Config: "c.json", RepoTags: null, Layers: ["0.tar", "1.tar"], ...item },
  ]),
});
const refused: readonly (readonly [why: string, members: readonly TarMember[], words: RegExp])[] = [
  ["no manifest.json", [config, ...layers], /manifest\.json/],
  [
    "a manifest.json of more than 1 MiB",
    [{ name: "manifest.json", content: "x".repeat(2 ** 20 + 1) }],
    /more than/,
  ],
  ["a manifest.json that is no JSON", [{ name: "manifest.json", content: "{" }], /not valid/],
  ["a manifest.json that is no list", [{ name: "manifest.json", content: "{}" }], /not a list/],
  [
    "an image that is no object",
    [{ name: "manifest.json", content: "[1]" }],
    /@0 is not an object/,
  ],
  ["an image without a config", [listed({ Config: 1 }), config, ...layers], /Config/],
  ["layers that are no names", [listed({ Layers: [1] }), config, ...layers], /Layers/],
  ["tags that are no names", [listed({ RepoTags: "a" }), config, ...layers], /RepoTags/],
  ["a config that is missing", [listed({}), ...layers], /`c\.json`.*missing/],
  [
    "a config of more than 4 MiB",
    [listed({}), { name: "c.json", content: Buffer.alloc(2 ** 22 + 1) }],
    /more than/,
  ],
  [
    "a config that is no JSON",
    [listed({}), { name: "c.json", content: "x" }, ...layers],
    /c\.json/,
  ],
  ["a config without layers", [listed({}), { name: "c.json", content: "{}" }, ...layers], /rootfs/],
  [
    "a diffID that is no digest",
    [listed({}), { name: "c.json", content: '{"rootfs":{"diff_ids":["x"]}}' }, ...layers],
    /diff_ids\[0\]/,
  ],
  [
    "fewer layers than the config says",
    [listed({ Layers: ["0.tar"] }), config, ...layers],
    /1 layers.*2/,
  ],
  [
    "one file for two layers",
    [listed({ Layers: ["0.tar", "0.tar"] }), config, ...layers],
    /two different/,
  ],
  ["a layer that is missing", [listed({}), config, ...layers.slice(1)], /`0\.tar`.*missing/],
  [
    "a layer outside",
    [listed({ Layers: ["../../../etc/passwd", "1.tar"] }), config, ...layers],
    /missing/,
  ],
  [
    "a layer that is a hard link",
    [listed({}), config, { name: "0.tar", type: "1", linkName: "/etc/passwd" }, ...layers.slice(1)],
    /hard link/,
  ],
];

for (const [why, members, words] of refused)
  test(`an archive with ${why} is refused`, async () => {
    await using dir = await makeDataDir();
    await writeFile(join(dir.path, "a.tar"), makeTar(members));
    await assert.rejects(
      () => sourceOf(dir.path, "docker-archive:a.tar"),
      failure("manifest_invalid", words),
    );
  });

test("of two manifest.json the first counts", async () => {
  await using dir = await makeDataDir();
  const second = { name: "manifest.json", content: "[]" };
  await writeFile(join(dir.path, "a.tar"), makeTar([listed({}), config, ...layers, second]));
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual(await read(source), a);
});

test("what is no archive is told apart from what is not there", async () => {
  await using dir = await makeDataDir();
  const open = () => sourceOf(dir.path, "docker-archive:a.tar");
  await assert.rejects(open, failure("source_not_found", /no such file/));
  await writeFile(join(dir.path, "a.tar"), "hello".repeat(1000));
  await assert.rejects(open, failure("manifest_invalid", /tar archive/));
  await assert.rejects(
    () => sourceOf(dir.base, "docker-archive:data"),
    failure("path_denied", /regular file/),
  );
});

test("a damaged compressed archive leaves nothing behind", async () => {
  await using dir = await makeDataDir();
  const whole = gzipSync(oldSave([{ image: a, tags: null }]));
  await writeFile(join(dir.path, "a.tar"), whole.subarray(0, whole.length / 2));
  await assert.rejects(() => sourceOf(dir.path, "docker-archive:a.tar"), failure("layer_invalid"));
  assert.deepEqual(await filesBelow(dir.path), ["a.tar"]);
  assert.deepEqual(await readdir(join(dir.path, ".transship")), []);
});
