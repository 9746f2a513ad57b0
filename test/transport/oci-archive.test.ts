import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { hexOf } from "../../src/image/digest.ts";
import { parseReference } from "../../src/image/reference.ts";
import { listTags } from "../../src/transport/open.ts";
import { destinationOf, sourceOf } from "../support/archives.ts";
import {
  accessTo,
  copyAll,
  failure,
  filesBelow,
  makeDataDir,
  never,
  putImage,
  putList,
  write,
} from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";
import { missing } from "../support/peers.ts";
import { makeTar, memberOf, namesIn, tarMembers } from "../support/raw-tar.ts";

const image = makeImage({ seed: "a" });
const other = makeImage({ seed: "b" });
const list = makeList([image, other]);

/** A layout with two named images and one without a name, as a tar archive. */
async function packed(dataDir: string, more: readonly string[] = []): Promise<Buffer> {
  const access = accessTo(dataDir, "destination");
  await write("oci:layout:one", image, access);
  await write("oci:layout:two", other, access);
  const folder = join(dataDir, "layout");
  return execFileSync("tar", ["-C", folder, "-cf", "-", ...more, "."], { maxBuffer: 2 ** 26 });
}

const skip = missing("tar");

test("a layout that anybody has packed is read in place", { skip }, async (t) => {
  await using dir = await makeDataDir();
  const archive = await packed(dir.path);
  for (const [how, bytes] of [
    ["as it is", archive],
    ["compressed with gzip", gzipSync(archive)],
    ["compressed with zstd", zstdCompressSync(archive)],
  ] as const)
    await t.test(how, async () => {
      await writeFile(join(dir.path, "a.tar"), bytes);
      for (const [which, expected] of [
        ["one", image],
        ["two", other],
        ["@1", other],
      ] as const) {
        await using source = await sourceOf(dir.path, `oci-archive:a.tar:${which}`);
        assert.deepEqual(await source.getManifest(undefined, never), expected.manifest);
        await using copy = await destinationOf(
          dir.path,
          `oci:${how.replaceAll(" ", "-")}:${which.replace("@", "n")}`,
        );
        await copyAll(source, copy);
      }
    });
  assert.deepEqual(
    await listTags(parseReference("oci-archive:a.tar"), accessTo(dir.path, "source"), never),
    ["one", "two"],
  );
  await assert.rejects(
    () => sourceOf(dir.path, "oci-archive:a.tar"),
    failure("source_not_found", /2 images/),
  );
  await assert.rejects(
    () => sourceOf(dir.path, "oci-archive:a.tar:three"),
    failure("source_not_found", /`one`, `two`/),
  );
});

test("a list and all its images go in and come out", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await destinationOf(dir.path, "oci-archive:new/a.tar:v1");
    assert.deepEqual(await filesBelow(dir.path), []);
    await putList(destination, list);
    assert.equal((await destination.findManifest(image.digest, never))?.digest, image.digest);
    const [layer] = image.layers;
    assert.deepEqual(await destination.findBlob(layer as never, never), layer);
    await destination.commit(never);
    assert.equal((await destination.findManifest(undefined, never))?.digest, list.digest);
  }
  assert.deepEqual(await filesBelow(dir.path), ["new/a.tar"]);
  await using source = await sourceOf(dir.path, "oci-archive:new/a.tar:v1");
  await using copy = await destinationOf(dir.path, "oci-archive:b.tar:v1");
  await copyAll(source, copy);
  assert.deepEqual(
    await readFile(join(dir.path, "new/a.tar")),
    await readFile(join(dir.path, "b.tar")),
  );
});

test("an archive has its files in the order of their names, at the time that is asked for", async () => {
  await using dir = await makeDataDir();
  const timeOf = async (destinationTimestamp?: string) => {
    await using destination = await destinationOf(dir.path, "oci-archive:a.tar", {
      ...(destinationTimestamp !== undefined && { destinationTimestamp }),
    });
    await putImage(destination, image);
    await destination.commit(never);
    const archive = await readFile(join(dir.path, "a.tar"));
    const names = namesIn(archive);
    assert.deepEqual(names.slice(0, 2), ["blobs/", "blobs/sha256/"]);
    assert.deepEqual(names.slice(-2), ["index.json", "oci-layout"]);
    assert.deepEqual(names.toSorted(), names);
    return Number.parseInt(archive.toString("latin1", 136, 147), 8);
  };
  assert.equal(await timeOf(), 0);
  assert.equal(await timeOf("2026-01-01T00:00:00Z"), 1_767_225_600);
  assert.equal(await timeOf("2026-01-01T01:00:00.6+01:00"), 1_767_225_601);
});

test("an archive is replaced at the commit, and only then", async () => {
  await using dir = await makeDataDir();
  const copy = async (what: typeof image, commits: boolean) => {
    await using destination = await destinationOf(dir.path, "oci-archive:a.tar:v1");
    await putImage(destination, what);
    if (commits) await destination.commit(never);
  };
  const there = async () => {
    await using source = await sourceOf(dir.path, "oci-archive:a.tar:v1");
    return source.getManifest(undefined, never);
  };
  await copy(image, true);
  await copy(other, false);
  assert.deepEqual(await there(), image.manifest);
  await copy(other, true);
  assert.deepEqual(await there(), other.manifest);
  const archive = await readFile(join(dir.path, "a.tar"));
  assert.equal(memberOf(archive, `blobs/sha256/${hexOf(image.digest)}`), undefined);
  assert.deepEqual(await filesBelow(dir.path), ["a.tar"]);
});

test("what is no regular file is neither read nor replaced", async () => {
  await using dir = await makeDataDir();
  await mkdir(join(dir.path, "folder"));
  const refused = failure("path_denied", /not a regular file/);
  await assert.rejects(() => sourceOf(dir.path, "oci-archive:folder"), refused);
  await assert.rejects(() => destinationOf(dir.path, "oci-archive:folder"), refused);
  await symlink("../outside", join(dir.path, "link"));
  await assert.rejects(() => destinationOf(dir.path, "oci-archive:link"), failure("path_denied"));
});

test("shared blobs are not for archives: all of an image is in one", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await destinationOf(dir.path, "oci-archive:a.tar", {
      sharedBlobDir: "shared",
    });
    await putImage(destination, image);
    await destination.commit(never);
  }
  assert.deepEqual(await filesBelow(dir.path), ["a.tar"]);
});

test(
  "of two members of one name the last counts, as for whoever unpacks the archive",
  { skip },
  async () => {
    await using dir = await makeDataDir();
    const archive = await packed(dir.path);
    const end =
      archive.lastIndexOf("oci-layout") < 0 ? 0 : archive.findLastIndex((byte) => byte !== 0);
    const whole = archive.subarray(0, Math.ceil(end / 512) * 512);
    const newer = tarMembers([
      { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
    ]);
    await writeFile(join(dir.path, "a.tar"), Buffer.concat([whole, newer, Buffer.alloc(1024)]));
    await assert.rejects(
      () => sourceOf(dir.path, "oci-archive:a.tar:one"),
      failure("source_not_found", /no image of that name|empty/),
    );
  },
);

const nameOf = (digest: typeof image.digest) => `blobs/sha256/${hexOf(digest)}`;
const index = {
  name: "index.json",
  content: JSON.stringify({
    schemaVersion: 2,
    manifests: [{ mediaType: image.manifest.mediaType, digest: image.digest, size: 1 }],
  }),
};
const manifest = { name: nameOf(image.digest), content: image.manifest.bytes };

test("an archive that is wrong is refused for what is wrong", async (t) => {
  for (const [what, members, code, words] of [
    ["no index.json", [manifest], "source_not_found", /no OCI layout/],
    [
      "an index.json that is no JSON",
      [{ ...index, content: "{" }],
      "manifest_invalid",
      /index\.json/,
    ],
    [
      "an index.json of more than 16 MiB",
      [{ ...index, content: Buffer.alloc(2 ** 24 + 1) }],
      "manifest_invalid",
      /more than/,
    ],
    ["a manifest that is missing", [index], "source_not_found", /is not there/],
    [
      "a manifest with other content",
      [index, { ...manifest, content: other.manifest.bytes }],
      "digest_mismatch",
      /other content/,
    ],
    [
      "a manifest that is a hard link",
      [index, { name: manifest.name, type: "1", linkName: "/etc/passwd" }],
      "manifest_invalid",
      /hard link/,
    ],
  ] as const)
    await t.test(what, async () => {
      await using dir = await makeDataDir();
      await writeFile(join(dir.path, "a.tar"), makeTar(members));
      await assert.rejects(() => sourceOf(dir.path, "oci-archive:a.tar"), failure(code, words));
    });
});

test("a blob that is missing or has another size is told of when it is read", async () => {
  await using dir = await makeDataDir();
  const [layer] = image.layers;
  if (layer === undefined) throw new Error("no layer");
  const blob = { name: nameOf(layer.digest), content: "short" };
  await writeFile(join(dir.path, "a.tar"), makeTar([index, manifest, blob]));
  await using source = await sourceOf(dir.path, "oci-archive:a.tar");
  const pour = async (descriptor: typeof layer) =>
    (await source.getBlob(descriptor, never)).content.pour(() => {}, never);
  await assert.rejects(() => pour(layer), failure("size_mismatch"));
  await assert.rejects(() => pour(image.config), failure("source_not_found"));
});
