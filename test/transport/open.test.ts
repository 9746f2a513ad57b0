import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openDestination, openSource } from "../../src/transport/open.ts";
import {
  accessTo,
  failure,
  copyAll,
  filesBelow,
  makeDataDir,
  never,
  putList,
} from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";

test("each file transport opens both ends by its reference, and any copies to any", async (t) => {
  await using dir = await makeDataDir();
  const list = makeList([makeImage({ seed: "a" }), makeImage({ seed: "b" })]);
  const source = (reference: string) =>
    openSource(parseReference(reference), accessTo(dir.path, "source"), never);
  const destination = (reference: string) =>
    openDestination(parseReference(reference), accessTo(dir.path, "destination"), never);
  {
    await using first = await destination("oci:start:v1");
    await putList(first, list);
    await first.commit(never);
  }
  const steps: readonly (readonly [from: string, to: string])[] = [
    ["oci:start:v1", "dir:one"],
    ["dir:one", "dir:two"],
    ["dir:two", `oci:${dir.path}/three:v2`],
    ["oci:three:v2", "oci:three:v3"],
    ["oci:three:v3", "oci-archive:some/four.tar:v4"],
    ["oci-archive:some/four.tar:v4", "dir:five"],
  ];
  for (const [from, to] of steps) {
    await t.test(`${from.replace(dir.path, "…")} to ${to.replace(dir.path, "…")}`, async () => {
      await using a = await source(from);
      await using b = await destination(to);
      await copyAll(a, b);
      await using copied = await source(to);
      assert.equal(copied.name, to);
      assert.deepEqual(await copied.getManifest(undefined, never), list.manifest);
      assert.equal((await b.findManifest(undefined, never))?.digest, list.digest);
    });
  }
});

test("nothing outside the data folder is read or written", async (t) => {
  await using dir = await makeDataDir();
  await mkdir(join(dir.base, "outside"));
  await writeFile(join(dir.base, "outside", "index.json"), '{"manifests":[]}');
  await symlink("../outside", join(dir.path, "link"));
  const before = await filesBelow(dir.base);
  for (const reference of [
    "oci:../outside:v1",
    "oci:link:v1",
    "oci:/etc:v1",
    "oci:link/new:v1",
    "dir:../outside/new",
    "dir:link/new",
    "dir:a/../../outside/new",
    "dir:/etc",
    "dir:.",
    "oci-archive:../outside/a.tar",
    "oci-archive:link/a.tar:v1",
    "docker-archive:../outside/a.tar",
    "docker-archive:link/a.tar:busybox:1",
    "docker-archive:.transship/a.tar",
  ]) {
    await t.test(reference, async () => {
      for (const [open, side] of [
        [openSource, "source"],
        [openDestination, "destination"],
      ] as const) {
        await assert.rejects(
          open(parseReference(reference), accessTo(dir.path, side), never),
          (error) => failure("path_denied")(error) && (error as CopyError).context.side === side,
        );
      }
    });
  }
  assert.deepEqual(await filesBelow(dir.base), before);
  await t.test("a place in an index is no destination", () =>
    assert.rejects(
      openDestination(parseReference("oci:layout:@0"), accessTo(dir.path, "destination"), never),
      failure("reference_invalid"),
    ),
  );
});
