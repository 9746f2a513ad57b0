// What a layout's writers do to each other when one of them loses the lock.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseIndex } from "../../src/transport/oci-index.ts";
import { temporaryName } from "../../src/transport/store.ts";
import {
  accessTo,
  failure,
  makeDataDir,
  never,
  openDestination,
  putImage,
  write,
} from "../support/folders.ts";
import { makeImage } from "../support/images.ts";

const WRITER = join(import.meta.dirname, "../support/write-image.ts");

const namesIn = async (layout: string): Promise<readonly string[]> =>
  parseIndex(await readFile(join(layout, "index.json")))
    .entries.map(({ annotations }) => Object.values(annotations as object).join())
    .toSorted();

/** A lock that is lost in the very moment in which the index is to be put in place: `meanwhile` has happened when its holder goes on. */
const lostBeforeRename = (meanwhile: () => void) => () => ({
  run: <T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { signal } = new AbortController();
    // It is asked last thing before a rename, with no turn of the event loop between.
    signal.throwIfAborted = meanwhile;
    return task(signal);
  },
});

test("a writer that was frozen beyond its lease takes nothing back that others wrote meanwhile", async () => {
  await using dir = await makeDataDir();
  const layout = join(dir.path, "layout");
  await write("oci:layout:first", makeImage({ seed: "first" }), accessTo(dir.path, "destination"));
  const others = () =>
    void execFileSync(process.execPath, [WRITER, dir.path, "oci:layout:others", "others"]);
  await using frozen = await openDestination(
    "oci:layout:frozen",
    accessTo(dir.path, "destination", { exclusive: lostBeforeRename(others) }),
  );
  await putImage(frozen, makeImage({ seed: "frozen" }));
  await assert.rejects(frozen.commit(never), failure("internal"));
  assert.deepEqual(await namesIn(layout), ["first", "others"]);
  await write(
    "oci:layout:frozen",
    makeImage({ seed: "frozen" }),
    accessTo(dir.path, "destination"),
  );
  assert.deepEqual(
    await namesIn(layout),
    ["first", "frozen", "others"],
    "the next attempt succeeds",
  );
  assert.deepEqual((await readdir(layout)).toSorted(), ["blobs", "index.json", "oci-layout"]);
});

test("what is prepared for other files is left alone", async () => {
  await using dir = await makeDataDir();
  const layout = join(dir.path, "layout");
  await write("oci:layout:first", makeImage(), accessTo(dir.path, "destination"));
  const [blob, old] = [join(layout, temporaryName()), join(layout, temporaryName("index.json."))];
  await writeFile(blob, "half a blob of another writer");
  await writeFile(old, "{}");
  await write("oci:layout:second", makeImage(), accessTo(dir.path, "destination"));
  const left = (await readdir(layout)).filter((name) => name.endsWith(".tmp"));
  assert.deepEqual(left, [blob.slice(layout.length + 1)]);
});
