// Layouts whose blobs are in a folder that several of them share (semantics 7.3, OCISharedBlobDirPath).

import assert from "node:assert/strict";
import { readdir, readFile, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fromBuffer } from "../../src/bytes.ts";
import { hexOf } from "../../src/image/digest.ts";
import {
  accessTo,
  copyAll,
  failure,
  filesBelow,
  makeDataDir,
  never,
  openDestination,
  openSource,
  write,
} from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { missing, skopeo } from "../support/peers.ts";

const image = makeImage();
const shared = { sharedBlobDir: "shared/blobs" };
const blobFiles = [image.digest, ...image.blobs.keys()]
  .map((digest) => `shared/blobs/sha256/${hexOf(digest)}`)
  .toSorted();

test("blobs go to the shared folder and come from there; the layout itself has none", async () => {
  await using dir = await makeDataDir();
  await write("oci:one:v1", image, accessTo(dir.path, "destination", shared));
  assert.deepEqual(await filesBelow(dir.path), ["one/index.json", "one/oci-layout", ...blobFiles]);
  await using second = await openDestination(
    "oci:team/two:v2",
    accessTo(dir.path, "destination", shared),
  );
  assert.deepEqual(await second.findBlob(image.config, never), image.config);
  {
    await using source = await openSource("oci:one:v1", accessTo(dir.path, "source", shared));
    await copyAll(source, second);
  }
  assert.deepEqual(
    (await filesBelow(dir.path)).filter((file) => !file.startsWith("one")),
    [...blobFiles, "team/two/index.json", "team/two/oci-layout"],
  );
  await assert.rejects(
    openSource("oci:one:v1", accessTo(dir.path, "source")),
    failure("source_not_found"),
    "control: without the folder its blobs are not there",
  );
});

test("content that fails leaves nothing in the shared folder", async () => {
  await using dir = await makeDataDir();
  await using target = await openDestination(
    "oci:one:v1",
    accessTo(dir.path, "destination", shared),
  );
  await assert.rejects(
    target.putBlob({ content: fromBuffer(Buffer.from("short")), info: image.config }, never),
    failure("size_mismatch"),
  );
  assert.deepEqual(await filesBelow(dir.path), []);
});

test("a shared folder outside the data folder is refused on both sides, by its words and by its links", async () => {
  await using dir = await makeDataDir();
  const outside = accessTo(dir.path, "destination", { sharedBlobDir: "../outside" });
  await assert.rejects(openDestination("oci:one:v1", outside), failure("path_denied"));
  await write("oci:one:v1", image, accessTo(dir.path, "destination", shared));
  await rename(join(dir.path, "shared/blobs"), join(dir.base, "outside"));
  await symlink(join(dir.base, "outside"), join(dir.path, "shared/blobs"));
  const before = await filesBelow(dir.base);
  for (const side of ["source", "destination"] as const) {
    const open = side === "source" ? openSource : openDestination;
    await assert.rejects(
      open("oci:one:v1", accessTo(dir.path, side, shared)),
      failure("path_denied", /link leads out/),
    );
  }
  assert.deepEqual(await filesBelow(dir.base), before);
});

test(
  "skopeo reads what was shared, and what skopeo shares is read",
  { skip: missing("skopeo") },
  async () => {
    await using dir = await makeDataDir();
    const at = (name: string) => join(dir.path, name);
    await write("oci:ours:v1", image, accessTo(dir.path, "destination", shared));
    const folder = at(shared.sharedBlobDir);
    await skopeo(
      "copy",
      `--src-shared-blob-dir=${folder}`,
      `--dest-shared-blob-dir=${at("theirs-shared")}`,
      `oci:${at("ours")}:v1`,
      `oci:${at("theirs")}:v1`,
    );
    await using source = await openSource(
      "oci:theirs:v1",
      accessTo(dir.path, "source", { sharedBlobDir: "theirs-shared" }),
    );
    assert.deepEqual((await source.getManifest(undefined, never)).bytes, image.manifest.bytes);
    for (const name of await readdir(join(folder, "sha256")))
      assert.deepEqual(
        await readFile(at(`theirs-shared/sha256/${name}`)),
        await readFile(join(folder, "sha256", name)),
      );
  },
);
