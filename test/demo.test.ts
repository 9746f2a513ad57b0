import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { parseEvents } from "../src/demo/client.ts";
import type { DemoBlob } from "../src/demo/image.ts";
import { startLink } from "../src/demo/link.ts";
import { withoutEnd } from "../src/demo/packages.ts";
import { Progress } from "../src/demo/progress.ts";
import { inDir, verify } from "../src/demo/verify.ts";
import { viewLines } from "../src/demo/view.ts";

const MIB = 1024 ** 2;
const layer: DemoBlob = {
  digest: "sha256:aa",
  size: 4 * MIB,
  kind: "layer",
  name: "shell",
  platforms: ["linux/amd64"],
};
const shared: DemoBlob = {
  digest: "sha256:bb",
  size: MIB,
  kind: "layer",
  name: "data",
  platforms: ["linux/amd64", "linux/arm64"],
};
const event = (type: string, { digest, size }: DemoBlob, more: object = {}) => ({
  type,
  data: { artifact: { digest, size }, ...more },
});

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  yield* texts;
}

test("events are read whole, wherever the network cuts them, and comments are skipped", async () => {
  const text =
    'id: 1\nevent: queued\ndata: {"a":1}\n\n: still here\n\nevent: blob-new\ndata: {\ndata: }\n\n';
  const expected = [
    { type: "queued", data: '{"a":1}' },
    { type: "blob-new", data: "{\n}" },
  ];
  for (let cut = 0; cut <= text.length; cut++) {
    assert.deepEqual(
      await Array.fromAsync(parseEvents(pieces(text.slice(0, cut), text.slice(cut)))),
      expected,
    );
  }
});

test("a blob's state follows its events, and a blob that two images share is copied once", () => {
  const progress = new Progress([layer, shared]);
  progress.add(event("blob-new", layer), 1000);
  progress.add(event("blob-read", layer, { offset: MIB }), 2000);
  assert.deepEqual(progress.view().blobs[0], {
    blob: layer,
    state: "moving",
    offset: MIB,
    rate: MIB,
  });
  assert.equal(progress.add(event("blob-done", layer, { offset: 4 * MIB }), 3000)?.state, "copied");
  progress.add(event("blob-new", shared), 3000);
  progress.add(event("blob-done", shared, { offset: MIB }), 3500);
  assert.equal(progress.add(event("blob-skipped", shared, { reason: "exists" }), 4000), undefined);
  const { bytesDone, bytesTotal, blobs } = progress.view();
  assert.deepEqual(
    [bytesDone, bytesTotal, blobs.map(({ state }) => state)],
    [5 * MIB, 5 * MIB, ["copied", "copied"]],
  );
});

test("a blob that was there before is done without having moved", () => {
  const progress = new Progress([shared]);
  assert.equal(
    progress.add(event("blob-skipped", shared, { reason: "exists" }), 0)?.state,
    "exists",
  );
  assert.deepEqual([progress.view().bytesDone, progress.view().rate], [MIB, 0]);
});

test("no line is wider than the terminal, and a bar is as long as what arrived", () => {
  const progress = new Progress([layer, shared]);
  progress.add(event("blob-new", layer), 0);
  progress.add(event("blob-read", layer, { offset: 2 * MIB }), 1000);
  for (const columns of [20, 40, 60, 80, 100, 200]) {
    const lines = viewLines(progress.view(), ({ offset }) => offset, columns).map(
      stripVTControlCharacters,
    );
    assert.equal(lines.length, 3);
    assert.ok(
      lines.every((line) => line.length < columns),
      `${columns} columns:\n${lines.join("\n")}`,
    );
  }
  const [first = "", second = "", total = ""] = viewLines(
    progress.view(),
    ({ offset }) => offset,
    80,
  ).map(stripVTControlCharacters);
  assert.match(first, /linux\/amd64 +shell +━+─+ +2\.0 \/ 4\.0 MiB +2\.0 MiB\/s/);
  assert.equal(
    (first.match(/━/g) ?? []).length,
    Math.floor((first.match(/[━─]/g) ?? []).length / 2),
  );
  assert.match(second, /both +data +─+ +1\.0 MiB/);
  assert.match(total, /total .* 2\.0 \/ 5\.0 MiB/);
});

/** A tar of one empty-named file with `content`, as far as its end matters. */
function tarOf(content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write("file", 0);
  header.write(content.length.toString(8).padStart(11, "0"), 124);
  return Buffer.concat([
    header,
    content,
    Buffer.alloc((512 - (content.length % 512)) % 512),
    Buffer.alloc(10_240),
  ]);
}

test("an archive loses its end and nothing else, even where its last file is all zeros", () => {
  assert.equal(withoutEnd(tarOf(Buffer.alloc(1024))).length, 512 + 1024);
  assert.equal(withoutEnd(tarOf(Buffer.from("x"))).length, 512 + 512);
  assert.equal(withoutEnd(Buffer.alloc(10_240)).length, 0);
});

/** A list of one image with one layer, as a `dir:` folder. */
async function dirImage(): Promise<
  { folder: string; layerFile: string; digest: string; childFile: string } & AsyncDisposable
> {
  const folder = await mkdtemp(join(tmpdir(), "transship-verify-"));
  const put = async (content: string, name = (hex: string) => hex) => {
    const hex = createHash("sha256").update(content).digest("hex");
    await writeFile(join(folder, name(hex)), content);
    return { digest: `sha256:${hex}`, size: content.length, file: join(folder, name(hex)) };
  };
  const blob = await put("a layer");
  const config = await put("{}");
  const child = await put(
    JSON.stringify({ config, layers: [blob, blob] }),
    (hex) => `${hex}.manifest.json`,
  );
  const list = await put(JSON.stringify({ manifests: [child] }), () => "manifest.json");
  return {
    folder,
    layerFile: blob.file,
    childFile: child.file,
    digest: list.digest,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("a whole copy is found whole, each blob counted once", async () => {
  await using image = await dirImage();
  const { digest, manifests, blobs } = await verify(inDir(image.folder));
  assert.deepEqual({ digest, manifests, blobs }, { digest: image.digest, manifests: 2, blobs: 2 });
});

test("a copy with one changed byte, or one missing file, is not", async () => {
  await using changed = await dirImage();
  await writeFile(changed.layerFile, "A layer");
  await assert.rejects(verify(inDir(changed.folder)), /dir:: blob sha256:\w+ has other bytes/);
  await using edited = await dirImage();
  await writeFile(edited.childFile, "{}");
  await assert.rejects(verify(inDir(edited.folder)), /manifest sha256:\w+ has other bytes/);
  await using cut = await dirImage();
  await rm(cut.layerFile);
  await assert.rejects(verify(inDir(cut.folder)), /ENOENT/);
});

test("a slow line passes everything on, and takes the time that its rate asks for", async () => {
  const server = createServer((socket) => void socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  await using link = await startLink((server.address() as AddressInfo).port, 4 * MIB);
  const sent = Buffer.alloc(MIB, "transship");
  const start = performance.now();
  const socket = connect(Number(link.host.split(":")[1]), "127.0.0.1");
  socket.end(sent);
  const received = Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>));
  assert.ok(received.equals(sent));
  assert.ok(performance.now() - start > 200, "1 MiB at 4 MiB a second");
  server.close();
});
