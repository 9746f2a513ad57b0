import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { fromBuffer, type Bytes } from "../../src/bytes.ts";
import type { Code } from "../../src/codes.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import { collect } from "../support/bytes.ts";
import {
  accessTo,
  failure,
  filesBelow,
  makeDataDir,
  never,
  openDestination,
  openSource,
  write,
} from "../support/folders.ts";
import { makeImage, seededBytes } from "../support/images.ts";

const run = promisify(execFile);
const pathOf = (layout: string, digest: Digest) => join(layout, "blobs", "sha256", hexOf(digest));

test("content that fails leaves nothing behind", async (t) => {
  await using dir = await makeDataDir();
  const bytes = seededBytes("blob", 300_000);
  const info = {
    mediaType: "application/octet-stream",
    digest: digestOf(bytes),
    size: bytes.length,
  };
  const broken: Bytes = {
    pour: async (sink, signal) => {
      await fromBuffer(bytes.subarray(0, 200_000)).pour(sink, signal);
      throw new CopyError("transfer_stalled", "the peer has gone", { side: "source" });
    },
  };
  const cases: readonly (readonly [what: string, content: Bytes, code: Code])[] = [
    ["a source that breaks off", broken, "transfer_stalled"],
    ["too few bytes", fromBuffer(bytes.subarray(1)), "size_mismatch"],
    ["too many bytes", fromBuffer(Buffer.concat([bytes, bytes])), "size_mismatch"],
  ];
  await using destination = await openDestination(
    "oci:layout:v1",
    accessTo(dir.path, "destination"),
  );
  for (const [what, content, code] of cases) {
    await t.test(what, async () => {
      await assert.rejects(destination.putBlob({ content, info }, never), failure(code));
      assert.deepEqual(await filesBelow(dir.path), []);
    });
  }
  await t.test("a job that is canceled", async () => {
    const stop = new AbortController();
    const reason = new Error("canceled");
    const content: Bytes = {
      pour: async (sink, signal) => {
        sink(bytes, () => stop.abort(reason));
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      },
    };
    await assert.rejects(destination.putBlob({ content, info }, stop.signal), reason);
    assert.deepEqual(await filesBelow(dir.path), []);
  });
  await t.test("control: whole content is stored and found", async () => {
    assert.equal(await destination.findBlob(info, never), undefined);
    assert.deepEqual(await destination.putBlob({ content: fromBuffer(bytes), info }, never), info);
    assert.deepEqual(await destination.findBlob(info, never), info);
    assert.deepEqual(await filesBelow(dir.path), [`layout/blobs/sha256/${hexOf(info.digest)}`]);
  });
});

test("a write that fails is the destination's failure, and leaves nothing behind", async () => {
  await using dir = await makeDataDir();
  await using destination = await openDestination(
    "oci:layout:v1",
    accessTo(dir.path, "destination"),
  );
  const content: Bytes = {
    pour: (sink, signal) => {
      // What no write can take stands for a disk that fails.
      sink({ length: 1 } as Buffer, () => {});
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new Error("the source was told to stop"))),
      );
    },
  };
  await assert.rejects(destination.putBlob({ content, info: makeImage().config }, never), {
    code: "internal",
    context: { side: "destination" },
  });
  assert.deepEqual(await filesBelow(dir.path), []);
});

test("what an index.json holds that is not valid is refused on both sides", async (t) => {
  await using dir = await makeDataDir();
  await mkdir(join(dir.path, "layout"));
  for (const text of [
    "",
    "{",
    "[]",
    '{"manifests":{}}',
    '{"manifests":[1]}',
    '{"manifests":[{"digest":"sha256:../../x"}]}',
    '{"manifests":[],"Manifests":[]}',
  ]) {
    await t.test(JSON.stringify(text), async () => {
      await writeFile(join(dir.path, "layout", "index.json"), text);
      await assert.rejects(
        openSource("oci:layout:v1", accessTo(dir.path, "source")),
        failure("manifest_invalid", /index\.json/),
      );
      await assert.rejects(
        openDestination("oci:layout:v1", accessTo(dir.path, "destination")),
        failure("manifest_invalid", /index\.json/),
      );
      assert.equal(await readFile(join(dir.path, "layout", "index.json"), "utf8"), text);
    });
  }
});

test("manifests and blobs that are not what they should be are refused", async (t) => {
  await using dir = await makeDataDir();
  const image = makeImage();
  const layout = join(dir.path, "layout");
  const layer = image.layers[0] ?? assert.fail();
  const fresh = async () => {
    await write("oci:layout:v1", image, accessTo(dir.path, "destination"));
    return openSource("oci:layout:v1", accessTo(dir.path, "source"));
  };
  const readLayer = async () => collect((await (await fresh()).getBlob(layer, never)).content);
  await t.test("a manifest with other content", async () => {
    await fresh();
    await writeFile(pathOf(layout, image.digest), "{}");
    await assert.rejects(
      openSource("oci:layout:v1", accessTo(dir.path, "source")),
      failure("digest_mismatch"),
    );
    await using destination = await openDestination(
      "oci:layout:v1",
      accessTo(dir.path, "destination"),
    );
    assert.equal(
      await destination.findManifest(undefined, never),
      undefined,
      "what is damaged is written again",
    );
  });
  await t.test("a manifest above 4 MiB", async () => {
    await fresh();
    await truncate(pathOf(layout, image.digest), 4 * 1024 * 1024 + 1);
    await assert.rejects(
      openSource("oci:layout:v1", accessTo(dir.path, "source")),
      failure("manifest_invalid", /more than 4194304 bytes/),
    );
  });
  await t.test("a manifest that is missing", async () => {
    await assert.rejects(
      (await fresh()).getManifest(digestOf(Buffer.from("other")), never),
      failure("source_not_found"),
    );
  });
  await t.test("a blob that is missing, or has another size", async () => {
    const source = await fresh();
    await truncate(pathOf(layout, layer.digest), 3);
    await assert.rejects(
      collect((await source.getBlob(layer, never)).content),
      failure("size_mismatch"),
    );
    await rename(pathOf(layout, layer.digest), join(layout, "elsewhere"));
    await assert.rejects(
      collect((await source.getBlob(layer, never)).content),
      failure("source_not_found"),
    );
  });
  for (const [what, make] of [
    ["a FIFO", (path: string) => run("mkfifo", [path])],
    ["a folder", (path: string) => mkdir(path)],
    ["a link to a file outside", (path: string) => symlink("/etc/passwd", path)],
  ] as const) {
    await t.test(`${what} in place of a blob is refused at once`, async () => {
      const source = await fresh();
      await rename(pathOf(layout, layer.digest), join(layout, "elsewhere"));
      await make(pathOf(layout, layer.digest));
      await assert.rejects(
        collect((await source.getBlob(layer, never)).content),
        failure("path_denied", /not a regular file/),
      );
      await using destination = await openDestination(
        "oci:layout:v1",
        accessTo(dir.path, "destination"),
      );
      await assert.rejects(destination.findBlob(layer, never), failure("path_denied"));
      await rename(pathOf(layout, layer.digest), join(layout, `refused ${what}`));
    });
  }
  await t.test("control: the same image, whole", async () =>
    assert.deepEqual(await readLayer(), image.blobs.get(layer.digest)),
  );
});

test("a layout with a link out of the data folder in it is neither read nor written", async (t) => {
  for (const link of ["blobs", "blobs/sha256"]) {
    await t.test(link, async () => {
      await using dir = await makeDataDir();
      const at = (...names: string[]) => join(dir.path, "layout", ...names);
      await write("oci:layout:v1", makeImage(), accessTo(dir.path, "destination"));
      await rename(at(link), join(dir.base, "outside"));
      await symlink(join(dir.base, "outside"), at(link));
      const before = await filesBelow(dir.base);
      await assert.rejects(
        openSource("oci:layout:v1", accessTo(dir.path, "source")),
        failure("path_denied", /link leads out/),
      );
      await assert.rejects(
        write("oci:layout:v2", makeImage({ seed: "other" }), accessTo(dir.path, "destination")),
        failure("path_denied", /link leads out/),
      );
      assert.deepEqual(await filesBelow(dir.base), before);
    });
  }
});

test("a file where a layout should be is refused before anything is moved", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "file"), "precious");
  await assert.rejects(
    openDestination("oci:file:v1", accessTo(dir.path, "destination")),
    failure("path_denied", /leads through a file/),
  );
  await assert.rejects(
    openSource("oci:file:v1", accessTo(dir.path, "source")),
    failure("source_not_found"),
  );
});
