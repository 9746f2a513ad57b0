// Archives between skopeo and transship: each reads what the other has written, and what both make of the same input is the same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import {
  destinationOf,
  makePlainImage,
  newSave,
  oldSave,
  put,
  read,
  sourceOf,
} from "../support/archives.ts";
import {
  copyAll,
  makeDataDir,
  never,
  putImage,
  putList,
  write,
  accessTo,
} from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";
import { missing, skopeo } from "../support/peers.ts";
import { startService } from "../support/service.ts";
import { makeTar } from "../support/raw-tar.ts";

const run = promisify(execFile);
const skip = missing("skopeo", "tar");
const a = makePlainImage("a");
const b = makePlainImage("b", 3);

test("a docker archive is the one that skopeo writes, byte for byte", { skip }, async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "saved.tar"), oldSave([{ image: b, tags: null }]));
  {
    await using destination = await destinationOf(dir.path, "docker-archive:ours.tar:busybox:1", {
      additionalTags: ["one.example/app:2", "busybox:2"],
    });
    await put(destination, b);
    await destination.commit(never);
  }
  await skopeo(
    "copy",
    "--additional-tag=one.example/app:2",
    "--additional-tag=busybox:2",
    `docker-archive:${dir.path}/saved.tar`,
    `docker-archive:${dir.path}/theirs.tar:busybox:1`,
  );
  const [ours, theirs] = await Promise.all(
    ["ours", "theirs"].map((name) => readFile(join(dir.path, `${name}.tar`))),
  );
  assert.ok(ours !== undefined && theirs?.equals(ours));
});

test("the manifest that is made of an archive is skopeo's", { skip }, async (t) => {
  await using dir = await makeDataDir();
  const one = [{ image: a, tags: ["busybox:1"] }];
  const two = [...one, { image: b, tags: ["busybox:2", "one.example/b:1"] }];
  for (const [how, archive, which] of [
    ["one image, as docker has saved it", oldSave(one), ""],
    ["as docker has saved it since 25", newSave(one), ""],
    ["with compressed layers", newSave(one, (layer) => gzipSync(layer)), ""],
    ["compressed", zstdCompressSync(newSave(one)), ""],
    ["one of two, by its name", oldSave(two), ":one.example/b:1"],
    ["one of two, by its place", newSave(two), ":@1"],
  ] as const)
    await t.test(how, async () => {
      await writeFile(join(dir.path, "a.tar"), archive);
      const theirs = await skopeo("inspect", "--raw", `docker-archive:${dir.path}/a.tar${which}`);
      await using source = await sourceOf(dir.path, `docker-archive:a.tar${which}`);
      assert.equal((await source.getManifest(undefined, never)).bytes.toString(), theirs);
      await skopeo("copy", `docker-archive:${dir.path}/a.tar${which}`, `dir:${dir.path}/dir`);
      await using copied = await sourceOf(dir.path, "dir:dir");
      assert.deepEqual(await read(copied), await read(source));
    });
});

test(
  "an archive of a layout goes to skopeo and back, with one image and with a list",
  { skip },
  async (t) => {
    await using dir = await makeDataDir();
    const image = makeImage({ seed: "a" });
    const list = makeList([
      image,
      makeImage({ seed: "b", platform: { os: "linux", architecture: "arm64" } }),
    ]);
    for (const [how, what] of [
      ["an image", image],
      ["a list", list],
    ] as const)
      await t.test(how, async () => {
        {
          await using destination = await destinationOf(dir.path, "oci-archive:ours.tar:v1");
          if ("images" in what) await putList(destination, what);
          else await putImage(destination, what);
          await destination.commit(never);
        }
        const theirs = `oci-archive:${dir.path}/theirs.tar:v1`;
        await skopeo("copy", "--all", `oci-archive:${dir.path}/ours.tar:v1`, theirs);
        assert.equal(await skopeo("inspect", "--raw", theirs), what.manifest.bytes.toString());
        await using source = await sourceOf(dir.path, "oci-archive:theirs.tar:v1");
        await using back = await destinationOf(dir.path, "oci:back:v1");
        await copyAll(source, back);
        const listing = async (name: string) =>
          (await run("tar", ["--numeric-owner", "-tvf", join(dir.path, name)])).stdout
            .split("\n")
            .filter((line) => line.includes("blobs"))
            .map((line) => line.replace(/ \d{4}-\S+ \S+ /, " "));
        assert.deepEqual(await listing("ours.tar"), await listing("theirs.tar"));
      });
  },
);

test("umoci unpacks the image in an archive", { skip: missing("umoci", "tar") }, async () => {
  await using dir = await makeDataDir();
  await write("oci-archive:a.tar:v1", makeImage({ seed: "a" }), accessTo(dir.path, "destination"));
  const layout = join(dir.path, "layout");
  await mkdir(layout);
  await run("tar", ["-C", layout, "-xf", join(dir.path, "a.tar")]);
  await run("umoci", ["unpack", "--rootless", "--image", `${layout}:v1`, join(dir.path, "bundle")]);
  const first = await readFile(join(dir.path, "bundle/rootfs/layer-a-0.txt"), "utf8");
  assert.notEqual(first, "");
});

test("layers in files are the image that skopeo makes of them", { skip }, async () => {
  await using dir = await makeDataDir();
  const layer = makeTar([{ name: "a", content: "1" }]);
  const files = { "a.tar": layer, "b.tgz": gzipSync(layer) };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(dir.path, name), content);
    await utimes(join(dir.path, name), 1_700_000_000.125, 1_700_000_000.125);
  }
  // skopeo writes times as the clock on the wall shows them.
  process.env["TZ"] = "UTC";
  const theirs = `tarball:${dir.path}/a.tar:${dir.path}/b.tgz`;
  await skopeo("copy", theirs, `dir:${dir.path}/dir`);
  await using copied = await sourceOf(dir.path, "dir:dir");
  const host = hostPlatform(process.arch, process.platform);
  await using source = await sourceOf(dir.path, "tarball:a.tar:b.tgz", { host });
  const { manifest, config, layers } = await read(source);
  const expected = await read(copied);
  assert.equal(config.toString(), expected.config.toString());
  assert.deepEqual(layers, expected.layers);
  // Before 1.10 skopeo left out the type.
  const typed = expected.manifest.bytes
    .toString()
    .replace(
      /^\{"schemaVersion":2,(?!"mediaType")/,
      `{"schemaVersion":2,"mediaType":"${OCI_MANIFEST}",`,
    );
  assert.equal(manifest.bytes.toString(), typed);
});

test(
  "the service copies from archive to archive, and tells of what it cannot",
  { skip },
  async () => {
    await using service = await startService();
    const image = makeImage({ seed: "service" });
    await write("oci:start:v1", image, accessTo(service.dataDir, "destination"));
    const copied = async (source: string, destination: string, options = {}) => {
      const { id } = await service.submit({ source, destination, options });
      return service.finished(id);
    };
    const archived = await copied("oci:start:v1", "oci-archive:a.tar:v1", {
      destinationTimestamp: "2026-01-01T00:00:00Z",
    });
    assert.equal(archived.status, "succeeded", JSON.stringify(archived.error));
    assert.equal(archived.result?.manifestDigest, image.digest);
    const raw = await skopeo("inspect", "--raw", `oci-archive:${service.dataDir}/a.tar:v1`);
    assert.equal(raw, image.manifest.bytes.toString());
    const { stdout } = await run("tar", ["--utc", "-tvf", join(service.dataDir, "a.tar")]);
    assert.match(stdout, /2026-01-01 00:00 index\.json/);

    await writeFile(join(service.dataDir, "saved.tar"), oldSave([{ image: a, tags: ["x:1"] }]));
    const folder = await copied("docker-archive:saved.tar:x:1", "dir:folder");
    assert.equal(folder.status, "succeeded", JSON.stringify(folder.error));
    const taken = await copied("docker-archive:saved.tar:x:1", "docker-archive:saved.tar:x:2");
    assert.equal(taken.error?.code, "path_denied");
    assert.notEqual(folder.result?.manifestMediaType, OCI_MANIFEST);
  },
);
