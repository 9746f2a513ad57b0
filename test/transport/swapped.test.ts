// Folders that are swapped with links to a place outside while they are read and written (reliability T36).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, realpath, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { destinationOf, sourceOf } from "../support/archives.ts";
import {
  accessTo,
  copyAll,
  filesBelow,
  makeDataDir,
  never,
  openDestination,
  openSource,
  putImage,
  write,
} from "../support/folders.ts";
import { makeImage } from "../support/images.ts";

const SWAPPER = join(import.meta.dirname, "../support/swapper.ts");
const secret = makeImage({ seed: "secret" });
const image = makeImage({ seed: "image" });

/** A data folder with an image, and a like one outside; the folder `swapped` of it becomes a link to that one again and again. */
async function arena(t: TestContext, reference: string, swapped: string) {
  const dir = await makeDataDir();
  const inside = join(dir.path, swapped);
  const outside = join(dir.base, "outside");
  await write(reference, secret, accessTo(dir.path, "destination"));
  await rename(inside, outside);
  await mkdir(dirname(inside), { recursive: true });
  await write(reference, image, accessTo(dir.path, "destination"));
  const before = await filesBelow(outside);
  const touched: string[] = [];
  const watcher = watch(outside, { recursive: true }, (_, name) => touched.push(String(name)));
  const swapper = spawn(process.execPath, [SWAPPER, inside, outside], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    swapper.kill("SIGKILL");
    if (swapper.exitCode === null && swapper.signalCode === null) await once(swapper, "exit");
    watcher.close();
  };
  t.after(async () => {
    await stop();
    await dir[Symbol.asyncDispose]();
  });
  await once(swapper.stdout, "data");
  return { dir, stop, outside, before, touched };
}

const PLACES: readonly (readonly [reference: string, swapped: string])[] = [
  ["oci:team/image:v1", "team/image"],
  ["oci:team/image:v1", "team"],
  ["oci:team/image:v1", "team/image/blobs"],
  ["oci:team/image:v1", "team/image/blobs/sha256"],
  ["dir:team/image", "team/image"],
  ["dir:team/image", "team"],
];
const ROUNDS = 50;

for (const [reference, swapped] of PLACES) {
  test(`${reference}: nothing outside is read while ${swapped} is swapped with a link to it`, async (t) => {
    const { dir, stop } = await arena(t, reference, swapped);
    const seen = { read: 0, secrets: 0 };
    for (let i = 0; i < ROUNDS; i++) {
      try {
        await using source = await openSource(reference, accessTo(dir.path, "source"));
        await using target = await openDestination("dir:copy", accessTo(dir.path, "destination"));
        await copyAll(source, target);
        seen.read++;
        const { bytes } = await source.getManifest(undefined, never);
        if (bytes.equals(secret.manifest.bytes)) seen.secrets++;
      } catch {
        // It may fail, and it will.
      }
    }
    await stop();
    t.diagnostic(`${seen.read} of ${ROUNDS} were read`);
    assert.equal(seen.secrets, 0, `${seen.secrets} of ${seen.read} were from outside`);
  });

  test(`${reference}: nothing outside is written while ${swapped} is swapped with a link to it`, async (t) => {
    const { dir, stop, outside, before, touched } = await arena(t, reference, swapped);
    let written = 0;
    for (let i = 0; i < ROUNDS; i++)
      await write(
        reference,
        makeImage({ seed: `${i}`, layers: 1 }),
        accessTo(dir.path, "destination"),
      )
        .then(() => written++)
        .catch(() => {});
    await stop();
    assert.deepEqual(await filesBelow(outside), before);
    assert.deepEqual(touched, []);
    t.diagnostic(`${written} of ${ROUNDS} were written`);
  });
}

test("control: a look at where a path leads, before it is used, is not enough", async (t) => {
  const { dir, outside, before } = await arena(t, "oci:team/image:v1", "team/image");
  const folder = join(dir.path, "team/image");
  const deadline = performance.now() + 20_000;
  while ((await filesBelow(outside)).length === before.length) {
    assert.ok(performance.now() < deadline, "nothing was written outside");
    const real = await realpath(folder).catch(() => undefined);
    if (real === folder) await writeFile(join(folder, "written"), "").catch(() => {});
  }
});

test("a data folder that is itself behind a link is as good as any", async () => {
  await using dir = await makeDataDir();
  await symlink(dir.path, join(dir.base, "link"));
  const dataDir = join(dir.base, "link");
  for (const reference of ["oci:a/layout:v1", "dir:a/folder", "oci-archive:a/archive.tar:v1"]) {
    {
      await using destination = await destinationOf(dataDir, reference);
      await putImage(destination, image);
      await destination.commit(never);
    }
    await using source = await sourceOf(dataDir, reference);
    assert.deepEqual(await source.getManifest(undefined, never), image.manifest);
  }
});
