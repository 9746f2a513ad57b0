// Links, pipes, sockets, devices, folders and files of absurd sizes where a layout or a folder has its files (reliability T36, T37).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { Code } from "../../src/codes.ts";
import { hexOf } from "../../src/image/digest.ts";
import {
  accessTo,
  copyAll,
  failure,
  filesBelow,
  makeDataDir,
  openDestination,
  openSource,
  putList,
  write,
} from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";

const run = promisify(execFile);
const image = makeImage();
const list = makeList([image]);
const layer = image.layers[0] ?? assert.fail();

/** What may be put at a path, given a place for what is to be there besides. */
const THINGS: Readonly<
  Record<string, (path: string, t: TestContext, base: string) => Promise<unknown>>
> = {
  "a pipe": (path) => run("mkfifo", [path]),
  "a folder": (path) => mkdir(path),
  // A socket's path has room for 107 bytes: it is made elsewhere and moved.
  "a socket": async (path, t, base) => {
    const server = createServer().listen(join(base, "s"));
    await once(server, "listening");
    t.after(() => server.close());
    await rename(join(base, "s"), path);
  },
  "a link to a device": (path) => symlink("/dev/zero", path),
  "a link to a file outside": async (path, _, base) => {
    await writeFile(join(base, "secret"), "s3cret");
    await symlink(join(base, "secret"), path);
  },
  "a link to a file beside it": async (path) => {
    await writeFile(`${path}.real`, "{}");
    await symlink(`${path}.real`, path);
  },
  "a link to nothing": (path) => symlink("nothing", path),
  "a link to itself": (path) => symlink(path, path),
};

const PLACES: readonly (readonly [reference: string, file: string])[] = [
  ["oci:image:v1", "index.json"],
  ["oci:image:v1", `blobs/sha256/${hexOf(list.digest)}`],
  ["oci:image:v1", `blobs/sha256/${hexOf(image.digest)}`],
  ["oci:image:v1", `blobs/sha256/${hexOf(image.config.digest)}`],
  ["oci:image:v1", `blobs/sha256/${hexOf(layer.digest)}`],
  ["dir:image", "version"],
  ["dir:image", "manifest.json"],
  ["dir:image", `${hexOf(image.digest)}.manifest.json`],
  ["dir:image", hexOf(image.config.digest)],
  ["dir:image", hexOf(layer.digest)],
  ["dir:image", "signature-1"],
  ["dir:image", `${hexOf(image.digest)}.signature-1`],
];

async function makeSource(reference: string) {
  const dir = await makeDataDir();
  await using destination = await openDestination(reference, accessTo(dir.path, "destination"));
  await putList(destination, list);
  await destination.commit(new AbortController().signal);
  const copy = async (): Promise<void> => {
    await using source = await openSource(reference, accessTo(dir.path, "source"));
    await using target = await openDestination("dir:copy", accessTo(dir.path, "destination"));
    await copyAll(source, target);
  };
  return { dir, copy, at: (file: string) => join(dir.path, "image", file) };
}

for (const [reference, file] of PLACES)
  test(`${reference}: what is no file in the place of ${file.slice(0, 24)} is refused at once`, async (t) => {
    for (const [what, make] of Object.entries(THINGS)) {
      const { dir, copy, at } = await makeSource(reference);
      await using _ = dir;
      await rm(at(file), { force: true });
      await make(at(file), t, dir.base);
      const before = await filesBelow(dir.base);
      const begun = performance.now();
      await assert.rejects(copy(), failure("path_denied", /not a regular file/), what);
      assert.ok(performance.now() - begun < 5_000, `${what} took too long`);
      assert.deepEqual(await filesBelow(dir.base), before, what);
    }
  });

test("control: the same images, whole, are copied", async () => {
  for (const reference of ["oci:image:v1", "dir:image"]) {
    const { dir, copy } = await makeSource(reference);
    await using _ = dir;
    await copy();
  }
});

const WRITTEN: readonly (readonly [file: string, words: RegExp])[] = [
  ["index.json", /not a regular file/],
  ["oci-layout", /not a regular file/],
  ["blobs", /leads|go round/],
  ["blobs/sha256", /leads|go round/],
];
for (const [file, words] of WRITTEN)
  test(`a layout with something else in the place of ${file} is not written to`, async (t) => {
    for (const [what, make] of Object.entries(THINGS)) {
      // These are folders; a link to one is followed where it stays below the data folder.
      if (file.startsWith("blobs") && (what === "a folder" || what.includes("beside"))) continue;
      const { dir, at } = await makeSource("oci:image:v1");
      await using _ = dir;
      await rm(at(file), { recursive: true });
      await make(at(file), t, dir.base);
      const before = await filesBelow(dir.base);
      const access = accessTo(dir.path, "destination");
      await assert.rejects(
        write("oci:image:v2", makeImage({ seed: "new" }), access),
        failure("path_denied", words),
        what,
      );
      assert.deepEqual(await filesBelow(dir.base), before, what);
    }
  });

const HUGE = 2 ** 40;
const SIZES: readonly (readonly [reference: string, file: string, code: Code])[] = [
  ["oci:image:v1", "index.json", "manifest_invalid"],
  ["oci:image:v1", `blobs/sha256/${hexOf(list.digest)}`, "manifest_invalid"],
  ["oci:image:v1", `blobs/sha256/${hexOf(image.digest)}`, "manifest_invalid"],
  ["oci:image:v1", `blobs/sha256/${hexOf(layer.digest)}`, "size_mismatch"],
  ["dir:image", "version", "manifest_invalid"],
  ["dir:image", "manifest.json", "manifest_invalid"],
  ["dir:image", `${hexOf(image.digest)}.manifest.json`, "manifest_invalid"],
  ["dir:image", hexOf(layer.digest), "size_mismatch"],
  ["dir:image", "signature-1", "manifest_invalid"],
];
test("a file of a terabyte is refused without being read", async () => {
  const before = process.memoryUsage.rss();
  for (const [reference, file, code] of SIZES) {
    const { dir, copy, at } = await makeSource(reference);
    await using _ = dir;
    await writeFile(at(file), "");
    await truncate(at(file), HUGE);
    const begun = performance.now();
    await assert.rejects(copy(), failure(code), `${reference} ${file}`);
    assert.ok(performance.now() - begun < 5_000);
  }
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 150 * 1024 * 1024, `${grown} bytes more`);
});
