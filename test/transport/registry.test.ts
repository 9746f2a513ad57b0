// The test registry itself is tested: what it lets pass would be proved by nothing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { request } from "undici";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { makeImage, makeList } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";

const run = promisify(execFile);
const skopeoMissing = await run("skopeo", ["--version"]).then(
  () => false,
  () => "skopeo is not installed",
);

test(
  "skopeo pulls an index from it and pushes it back, byte for byte",
  { skip: skopeoMissing },
  async () => {
    await using registry = await startRegistry({
      auth: { kind: "bearer", username: "u", password: "p" },
    });
    const list = makeList([
      makeImage(),
      makeImage({ seed: "arm", platform: { os: "linux", architecture: "arm64" } }),
    ]);
    registry.put("from/here", "v1", list);
    const dir = await mkdtemp(join(tmpdir(), "transship-registry-"));
    try {
      const copy = (from: string, to: string) =>
        run("skopeo", [
          "copy",
          "--all",
          "--src-tls-verify=false",
          "--dest-tls-verify=false",
          "--src-creds=u:p",
          "--dest-creds=u:p",
          from,
          to,
        ]);
      await copy(`docker://${registry.host}/from/here:v1`, `dir:${dir}/image`);
      await copy(`dir:${dir}/image`, `docker://${registry.host}/to/there:v1`);
    } finally {
      await rm(dir, { recursive: true });
    }
    assert.equal(registry.manifest("to/there", "v1")?.digest, list.digest);
    assert.deepEqual(registry.manifest("to/there", "v1")?.bytes, list.manifest.bytes);
    assert.equal(registry.openUploads, 0);
    assert.deepEqual(registry.inFlight, { downloads: 0, uploads: 0 });
  },
);

test("skopeo is refused without the right password", { skip: skopeoMissing }, async () => {
  await using registry = await startRegistry({
    auth: { kind: "bearer", username: "u", password: "p" },
  });
  registry.put("a", "v1", makeImage());
  for (const credentials of [["--no-creds"], ["--creds=u:wrong"]])
    await assert.rejects(
      run("skopeo", [
        "inspect",
        "--raw",
        "--tls-verify=false",
        ...credentials,
        `docker://${registry.host}/a:v1`,
      ]),
    );
});

test("a manifest whose blobs or children are missing is refused", async () => {
  await using registry = await startRegistry();
  const image = makeImage();
  const put = async (ref: string, { bytes, mediaType }: typeof image.manifest) => {
    const url = `${registry.url}/v2/a/manifests/${ref}`;
    const { statusCode, body } = await request(url, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": mediaType },
    });
    await body.dump();
    return statusCode;
  };
  assert.equal(await put("v1", image.manifest), 404);
  assert.equal(await put("v1", makeList([image]).manifest), 404);
  for (const [digest, bytes] of image.blobs) registry.content.addBlob("a", digest, bytes);
  assert.equal(await put("v1", image.manifest), 201);
  assert.equal(await put(digestOf(Buffer.from("other")), image.manifest), 400);
  assert.equal(await put("v1", { mediaType: OCI_MANIFEST, bytes: Buffer.from("not json") }), 400);
  assert.equal(await put("v2", makeList([image]).manifest), 201);
});

test("a blob is stored only under its own digest", async () => {
  await using registry = await startRegistry();
  const begin = await request(`${registry.url}/v2/a/blobs/uploads/`, { method: "POST" });
  await begin.body.dump();
  const location = String(begin.headers["location"]);
  const wrong = await request(`${location}&digest=${digestOf(Buffer.from("b"))}`, {
    method: "PUT",
    body: "a",
  });
  assert.equal(wrong.statusCode, 400);
  assert.match(await wrong.body.text(), /DIGEST_INVALID/);
  assert.equal(registry.blob("a", digestOf(Buffer.from("b"))), undefined);
});
