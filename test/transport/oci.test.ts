import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { fromBuffer } from "../../src/bytes.ts";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import { collect } from "../support/bytes.ts";
import {
  accessTo,
  copyAll,
  failure,
  filesBelow,
  makeDataDir,
  makeExclusive,
  never,
  openDestination,
  openSource,
  putList,
  write,
} from "../support/folders.ts";
import { makeImage, makeList, seededBytes } from "../support/images.ts";
import { missing, skopeo } from "../support/peers.ts";

const run = promisify(execFile);
const pathOf = (layout: string, digest: Digest) => join(layout, "blobs", "sha256", hexOf(digest));
const readIndex = async (layout: string) =>
  JSON.parse(await readFile(join(layout, "index.json"), "utf8"));

test("a list goes through a layout and comes out byte for byte", async () => {
  await using dir = await makeDataDir();
  const list = makeList([
    makeImage({ seed: "a" }),
    makeImage({ seed: "b", platform: { os: "linux", architecture: "arm64" } }),
  ]);
  {
    await using destination = await openDestination(
      "oci:team/layout:v1",
      accessTo(dir.path, "destination"),
    );
    await putList(destination, list);
    assert.deepEqual(
      (await filesBelow(dir.path)).filter((file) => !file.includes("/blobs/")),
      [],
      "the layout is no image before commit",
    );
    await destination.commit(never);
  }
  await using source = await openSource("oci:team/layout:v1", accessTo(dir.path, "source"));
  assert.deepEqual(await source.getManifest(undefined, never), list.manifest);
  for (const image of list.images) {
    assert.deepEqual(await source.getManifest(image.digest, never), image.manifest);
    for (const blob of [image.config, ...image.layers]) {
      const { content } = await source.getBlob(blob, never);
      assert.deepEqual(await collect(content), image.blobs.get(blob.digest));
    }
  }
  assert.deepEqual(await readIndex(join(dir.path, "team/layout")), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        mediaType: list.manifest.mediaType,
        digest: list.digest,
        size: list.manifest.bytes.length,
        annotations: { "org.opencontainers.image.ref.name": "v1" },
      },
    ],
  });
  assert.equal(
    await readFile(join(dir.path, "team/layout/oci-layout"), "utf8"),
    '{"imageLayoutVersion":"1.0.0"}',
  );
});

test("opening a destination writes nothing", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await openDestination(
      "oci:layout:v1",
      accessTo(dir.path, "destination"),
    );
    assert.equal(await destination.findManifest(undefined, never), undefined);
    assert.equal(await destination.findBlob(makeImage().config, never), undefined);
  }
  assert.deepEqual(await filesBelow(dir.path), []);
});

test("a source names what it has when a reference fits nothing", async (t) => {
  await using dir = await makeDataDir();
  const access = accessTo(dir.path, "destination");
  for (let i = 0; i < 12; i++) await write(`oci:layout:v${i}`, makeImage({ seed: `${i}` }), access);
  await write("oci:single:only", makeImage(), access);
  await write("oci:unnamed", makeImage(), access);
  const cases: readonly (readonly [reference: string, words: RegExp])[] = [
    ["oci:layout:v99", /no image of that name; there are `v0`, .*`v9`, and 2 more/],
    ["oci:layout", /12 images, name one of them/],
    ["oci:layout:@12", /no entry @12, the layout has 12/],
    ["oci:unnamed:v1", /none of its images has a name.*`@0`/],
    ["oci:nowhere:v1", /no OCI layout/],
  ];
  for (const [reference, words] of cases)
    await t.test(reference, () =>
      assert.rejects(
        openSource(reference, accessTo(dir.path, "source")),
        failure("source_not_found", words),
      ),
    );
  for (const [reference, seed] of [
    ["oci:layout:@3", "3"],
    ["oci:layout:v11", "11"],
    ["oci:single", ""],
    ["oci:unnamed", ""],
  ] as const) {
    await t.test(`${reference} is found`, async () => {
      await using source = await openSource(reference, accessTo(dir.path, "source"));
      assert.deepEqual(await source.getManifest(undefined, never), makeImage({ seed }).manifest);
    });
  }
});

test("a name that moved on is still read as the pinned digest", async () => {
  await using dir = await makeDataDir();
  const [before, after] = [makeImage({ seed: "before" }), makeImage({ seed: "after" })];
  for (const image of [before, after])
    await write("oci:layout:v1", image, accessTo(dir.path, "destination"));
  await using pinned = await openSource(
    "oci:layout:v1",
    accessTo(dir.path, "source", { pinned: before.digest }),
  );
  assert.deepEqual(await pinned.getManifest(undefined, never), before.manifest);
  await using current = await openSource("oci:layout:v1", accessTo(dir.path, "source"));
  assert.deepEqual(await current.getManifest(undefined, never), after.manifest);
});

test("a blob whose digest is not known yet is stored under the one it has", async () => {
  await using dir = await makeDataDir();
  const bytes = seededBytes("blob", 5000);
  await using destination = await openDestination(
    "oci:layout:v1",
    accessTo(dir.path, "destination"),
  );
  const stored = await destination.putBlob(
    { content: fromBuffer(bytes), info: { mediaType: "x" } },
    never,
  );
  assert.deepEqual(stored, { mediaType: "x", digest: digestOf(bytes), size: 5000 });
  assert.deepEqual(await readFile(pathOf(join(dir.path, "layout"), stored.digest)), bytes);
});

test("writers of different names into one layout lose nothing, and readers always see a whole index", async () => {
  await using dir = await makeDataDir();
  const access = accessTo(dir.path, "destination", { exclusive: makeExclusive() });
  const names = Array.from({ length: 32 }, (_, i) => `v${i}`);
  await write("oci:layout:first", makeImage({ seed: "first" }), access);
  let writing = true;
  const reader = (async () => {
    let reads = 0;
    for (; writing; reads++)
      await (
        await openSource("oci:layout:first", accessTo(dir.path, "source"))
      )[Symbol.asyncDispose]();
    return reads;
  })();
  await Promise.all(
    names.map((name) => write(`oci:layout:${name}`, makeImage({ seed: name, layers: 1 }), access)),
  );
  writing = false;
  assert.ok((await reader) > 0);
  for (const name of names) {
    await using source = await openSource(`oci:layout:${name}`, accessTo(dir.path, "source"));
    assert.deepEqual(
      await source.getManifest(undefined, never),
      makeImage({ seed: name, layers: 1 }).manifest,
    );
  }
});

test("control: without the lock the same writers lose names", async () => {
  await using dir = await makeDataDir();
  const access = accessTo(dir.path, "destination", {
    exclusive: () => ({ run: (task, signal) => task(signal) }),
  });
  const names = Array.from({ length: 32 }, (_, i) => `v${i}`);
  // Some find that another has taken the index out of their hands.
  await Promise.allSettled(
    names.map((name) => write(`oci:layout:${name}`, makeImage({ seed: name, layers: 1 }), access)),
  );
  assert.ok((await readIndex(join(dir.path, "layout"))).manifests.length < names.length);
});

test("a writer that has lost the layout's lock leaves index.json alone", async () => {
  await using dir = await makeDataDir();
  await write("oci:layout:v1", makeImage({ seed: "old" }), accessTo(dir.path, "destination"));
  const before = await readIndex(join(dir.path, "layout"));
  const lost = new Error("the lock is lost");
  const access = accessTo(dir.path, "destination", {
    exclusive: () => ({ run: (task) => task(AbortSignal.abort(lost)) }),
  });
  await assert.rejects(write("oci:layout:v1", makeImage({ seed: "new" }), access), lost);
  assert.deepEqual(await readIndex(join(dir.path, "layout")), before);
});

test("a large blob is lent in pieces that are used again", async () => {
  await using dir = await makeDataDir();
  const bytes = seededBytes("large", 9 * 1024 * 1024 + 7);
  const info = { mediaType: "x", digest: digestOf(bytes), size: bytes.length };
  await using destination = await openDestination(
    "oci:layout:v1",
    accessTo(dir.path, "destination"),
  );
  await destination.putBlob({ content: fromBuffer(bytes), info }, never);
  await write("oci:layout:v1", makeImage(), accessTo(dir.path, "destination"));
  await using source = await openSource("oci:layout:v1", accessTo(dir.path, "source"));
  const { content } = await source.getBlob(info, never);
  const lent = new Set<ArrayBufferLike>();
  let held: (() => void)[] = [];
  let most = 0;
  const got: Buffer[] = [];
  await content.pour((chunk, release) => {
    lent.add(chunk.buffer);
    got.push(Buffer.from(chunk));
    most = Math.max(most, held.push(release));
    setImmediate(() => {
      for (const each of held) each();
      held = [];
    });
  }, never);
  assert.deepEqual(Buffer.concat(got), bytes);
  assert.ok(most <= 3 && lent.size <= 3, `${most} lent at once of ${lent.size}`);

  const stop = new AbortController();
  const reason = new Error("canceled");
  await assert.rejects(
    (await source.getBlob(info, never)).content.pour(
      () => setImmediate(() => stop.abort(reason)),
      stop.signal,
    ),
    reason,
    "a sink that releases nothing does not hold up an abort",
  );
});

test(
  "skopeo and umoci read what was written, and skopeo's layouts are read",
  { skip: missing("skopeo", "umoci") },
  async () => {
    await using dir = await makeDataDir();
    const list = makeList([
      makeImage({ seed: "a" }),
      makeImage({ seed: "b", platform: { os: "linux", architecture: "arm64" } }),
    ]);
    const layout = join(dir.path, "layout");
    await write(
      "oci:layout:single",
      makeImage({ seed: "single" }),
      accessTo(dir.path, "destination"),
    );
    await using destination = await openDestination(
      "oci:layout:all",
      accessTo(dir.path, "destination"),
    );
    await putList(destination, list);
    await destination.commit(never);
    assert.equal(
      await skopeo("inspect", "--raw", `oci:${layout}:all`),
      list.manifest.bytes.toString(),
    );
    assert.deepEqual(
      (await run("umoci", ["list", "--layout", layout])).stdout.trim().split("\n").toSorted(),
      ["all", "single"],
    );
    await skopeo("copy", "--all", `oci:${layout}:all`, `oci:${join(dir.path, "by-skopeo")}:all`);
    await using source = await openSource("oci:by-skopeo:all", accessTo(dir.path, "source"));
    await using again = await openDestination("oci:again:all", accessTo(dir.path, "destination"));
    await copyAll(source, again);
    assert.deepEqual(
      (await filesBelow(join(dir.path, "again"))).map(String),
      await filesBelow(join(dir.path, "by-skopeo")),
    );
    assert.deepEqual(
      (await readIndex(join(dir.path, "again"))).manifests,
      (await readIndex(join(dir.path, "by-skopeo"))).manifests,
    );
  },
);
