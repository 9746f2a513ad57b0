import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { accessTo, makeDataDir, never, openDestination, putImage } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { temporaryName } from "../../src/transport/store.ts";

const DAY = 24 * 60 * 60;
const image = makeImage();

/** As a killed process leaves it, so many seconds ago. */
async function leave(path: string, seconds: number): Promise<string> {
  await writeFile(path, "half");
  const time = Date.now() / 1000 - seconds;
  await utimes(path, time, time);
  return path;
}

for (const [transport, folder, of, context] of [
  ["oci", "place", "", {}],
  ["oci", "shared", "", { sharedBlobDir: "shared" }],
  ["dir", ".", "place.", {}],
  ["oci-archive", ".", "place.", {}],
  ["oci-archive", ".transship", "", {}],
] as const) {
  test(`what killed processes left in ${folder}, of an ${transport}: image, is removed a day later, and nothing else is`, async () => {
    await using data = await makeDataDir();
    const where = join(data.path, folder);
    await mkdir(where, { recursive: true });
    await leave(join(where, temporaryName(of)), DAY + 60);
    await leave(join(where, temporaryName(of)), DAY + 60);
    const kept = [
      await leave(join(where, temporaryName(of)), 60),
      await leave(join(where, temporaryName("other.")), DAY + 60),
      await leave(join(where, ".somebody.tmp"), DAY + 60),
    ];
    {
      await using destination = await openDestination(
        `${transport}:place`,
        accessTo(data.path, "destination", context),
      );
      await putImage(destination, image);
      await destination.commit(never);
    }
    const left = (await readdir(where)).filter((name) => name.endsWith(".tmp"));
    assert.deepEqual(left.toSorted(), kept.map((path) => path.slice(where.length + 1)).toSorted());
  });
}
