import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fromBuffer } from "../../src/bytes.ts";
import { digestOf, hexOf } from "../../src/image/digest.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { DOCKER_LIST, OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";
import { destinationOf, makePlainImage, put, read, sourceOf } from "../support/archives.ts";
import { failure, filesBelow, makeDataDir, makeExclusive, never } from "../support/folders.ts";
import { memberOf, namesIn } from "../support/raw-tar.ts";

const a = makePlainImage("a");
const b = makePlainImage("b");
const hex = (bytes: Buffer) => hexOf(digestOf(bytes));

test("an image is written as containers/image lays it out, and is read back", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await destinationOf(dir.path, "docker-archive:new/a.tar:busybox", {
      additionalTags: ["one.example/app:2", "busybox:latest", "busybox:1"],
    });
    await put(destination, a);
    await destination.commit(never);
  }
  assert.deepEqual(await filesBelow(dir.path), ["new/a.tar"]);
  const archive = await readFile(join(dir.path, "new/a.tar"));
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = a.layers;
  const json = (text: string) => JSON.stringify(JSON.parse(text));
  const ids = namesIn(archive).flatMap((name) => /^(.+)\/VERSION$/.exec(name)?.[1] ?? []);
  assert.deepEqual(namesIn(archive), [
    `${hex(first)}.tar`,
    `${hex(second)}.tar`,
    `${hex(a.config)}.json`,
    ...ids.flatMap((id) => [`${id}/layer.tar`, `${id}/VERSION`, `${id}/json`]),
    "manifest.json",
    "repositories",
  ]);
  const text = (name: string) => memberOf(archive, name)?.toString() ?? "";
  assert.deepEqual(memberOf(archive, `${hex(second)}.tar`), second);
  assert.equal(
    text("manifest.json"),
    json(`[{"Config":"${hex(a.config)}.json",
      "RepoTags":["docker.io/library/busybox:latest","one.example/app:2","docker.io/library/busybox:1"],
      "Layers":["${hex(first)}.tar","${hex(second)}.tar"]}]`),
  );
  const [lower = "", upper = ""] = ids;
  assert.equal(text(`${lower}/json`), `{"id":"${lower}"}`);
  assert.deepEqual(Object.entries(JSON.parse(text(`${upper}/json`))).slice(5), [
    ["docker_version", null],
    ["id", upper],
    ["os", "linux"],
    ["parent", lower],
  ]);
  assert.equal(
    text("repositories"),
    `{"docker.io/library/busybox":{"1":"${upper}","latest":"${upper}"},"one.example/app":{"2":"${upper}"}}`,
  );
  for (const which of ["", ":busybox:1", ":one.example/app:2"]) {
    await using source = await sourceOf(dir.path, `docker-archive:new/a.tar${which}`);
    assert.deepEqual(await read(source), a);
  }
});

test("an image without names and layers is an image", async () => {
  await using dir = await makeDataDir();
  const empty = makePlainImage("empty", 0);
  await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
  assert.equal(destination.dockerReference, undefined);
  await put(destination, empty);
  await destination.commit(never);
  const archive = await readFile(join(dir.path, "a.tar"));
  assert.equal(memberOf(archive, "repositories")?.toString(), "{}");
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual(await read(source), empty);
});

test("a blob is found once it was put, and a second copy of it takes no room", async () => {
  await using dir = await makeDataDir();
  await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
  const [layer = Buffer.alloc(0)] = a.layers;
  const blob = { mediaType: "x", digest: digestOf(layer) };
  assert.equal(await destination.findBlob(blob, never), undefined);
  const before = await destination.putBlob(
    { content: fromBuffer(layer), info: { mediaType: "x" } },
    never,
  );
  assert.deepEqual(before, { ...blob, size: layer.length });
  assert.deepEqual(await destination.findBlob(blob, never), before);
  await put(destination, a);
  await destination.commit(never);
  const archive = await readFile(join(dir.path, "a.tar"));
  assert.equal(namesIn(archive).filter((name) => name === `${hex(layer)}.tar`).length, 1);
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual(await read(source), a);
});

test("nothing is there before the commit, and nothing is left without one", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await destinationOf(dir.path, "docker-archive:a.tar:x:1");
    assert.deepEqual(await filesBelow(dir.path), []);
    await put(destination, a);
    assert.deepEqual((await filesBelow(dir.path)).length, 1);
    assert.match((await filesBelow(dir.path))[0] ?? "", /^\.a\.tar\..*\.tmp$/);
  }
  assert.deepEqual(await filesBelow(dir.path), []);
});

test("a blob whose bytes fail leaves no archive", async () => {
  await using dir = await makeDataDir();
  {
    await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
    const fault = new Error("broken");
    const content = { pour: async () => Promise.reject(fault) };
    await assert.rejects(
      () => destination.putBlob({ content, info: { mediaType: "x" } }, never),
      fault,
    );
    await assert.rejects(
      () =>
        destination.putBlob(
          { content: fromBuffer(Buffer.from("abc")), info: { mediaType: "x", size: 4 } },
          never,
        ),
      failure("size_mismatch"),
    );
  }
  assert.deepEqual(await filesBelow(dir.path), []);
});

test("an archive that is there is not touched, and the copy ends before it has moved anything", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), "something");
  const blob = { mediaType: "x", digest: digestOf(a.config) };
  {
    await using destination = await destinationOf(dir.path, "docker-archive:a.tar:x:1");
    const refused = failure("path_denied", /exists.*choose another path/);
    await assert.rejects(() => destination.findBlob(blob, never), refused);
    await assert.rejects(() => put(destination, a), refused);
  }
  assert.equal(await readFile(join(dir.path, "a.tar"), "utf8"), "something");
  assert.deepEqual(await filesBelow(dir.path), ["a.tar"]);
  await writeFile(join(dir.path, "empty.tar"), "");
  await using destination = await destinationOf(dir.path, "docker-archive:empty.tar:x:1");
  await put(destination, a);
  await destination.commit(never);
  await using _ = await sourceOf(dir.path, "docker-archive:empty.tar:x:1");
});

test("what is no regular file is never written over", async () => {
  await using dir = await makeDataDir();
  await mkdir(join(dir.path, "folder"));
  await using destination = await destinationOf(dir.path, "docker-archive:folder");
  await assert.rejects(() => put(destination, a), failure("path_denied", /not a regular file/));
  await symlink("nothing", join(dir.path, "link"));
  await assert.rejects(
    () => destinationOf(dir.path, "docker-archive:link"),
    failure("path_denied", /leads to nothing/),
  );
});

test("of two copies to one path the first stays, and the second may only be the same", async () => {
  await using dir = await makeDataDir();
  const exclusive = makeExclusive();
  const open = (more: object = {}) =>
    destinationOf(dir.path, "docker-archive:a.tar:x:1", { exclusive, ...more });
  await using first = await open();
  await using same = await open();
  await using other = await open();
  await put(first, a);
  await put(same, a);
  await put(other, b);
  await first.commit(never);
  await same.commit(never);
  await assert.rejects(() => other.commit(never), failure("path_denied", /exists/));
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual(await read(source), a);
});

test("an attempt after one that died after its last write succeeds", async () => {
  await using dir = await makeDataDir();
  const copy = async (image: typeof a, resumed: boolean) => {
    await using destination = await destinationOf(dir.path, "docker-archive:a.tar:x:1", {
      resumed,
    });
    const blob = { mediaType: "x", digest: digestOf(image.config) };
    assert.equal(await destination.findBlob(blob, never), undefined);
    await put(destination, image);
    await destination.commit(never);
  };
  await copy(a, false);
  await copy(a, true);
  await assert.rejects(() => copy(b, true), failure("path_denied", /exists/));
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual(await read(source), a);
});

test("it is told what the reference names now", async () => {
  await using dir = await makeDataDir();
  const named = async (reference: string) => {
    await using destination = await destinationOf(dir.path, reference);
    return destination.findManifest(undefined, never);
  };
  assert.equal(await named("docker-archive:a.tar:x:1"), undefined);
  {
    await using destination = await destinationOf(dir.path, "docker-archive:a.tar:x:1");
    await put(destination, a);
    await destination.commit(never);
  }
  const found = { digest: manifestDigest(a.manifest), mediaType: SCHEMA2 };
  assert.deepEqual(await named("docker-archive:a.tar:x:1"), found);
  assert.equal(await named("docker-archive:a.tar:x:2"), undefined);
  await writeFile(join(dir.path, "b.tar"), "no archive");
  assert.equal(await named("docker-archive:b.tar"), undefined);
});

test("lists, instances and other manifests than schema 2 are refused", async () => {
  await using dir = await makeDataDir();
  await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
  await assert.rejects(
    () => destination.putManifest(a.manifest, digestOf(a.manifest.bytes), never),
    failure("lists_not_supported"),
  );
  for (const mediaType of [OCI_MANIFEST, DOCKER_LIST]) {
    await put(destination, { ...a, manifest: { ...a.manifest, mediaType } });
    await assert.rejects(() => destination.commit(never), failure("manifest_rejected", /schema 2/));
  }
  assert.deepEqual(destination.traits.manifestTypes, [SCHEMA2]);
});

test("a config that is no JSON is refused", async () => {
  await using dir = await makeDataDir();
  await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
  const config = Buffer.from("{");
  const bytes = Buffer.from(
    a.manifest.bytes
      .toString()
      .replace(digestOf(a.config), digestOf(config))
      .replace(`"size":${a.config.length}`, '"size":1'),
  );
  await put(destination, { ...a, config, manifest: { ...a.manifest, bytes } });
  await assert.rejects(() => destination.commit(never), failure("manifest_invalid", /config/));
});

test("a digest of another algorithm names its file", async () => {
  await using dir = await makeDataDir();
  const [layer = Buffer.alloc(0)] = a.layers;
  const digest = digestOf(layer, "sha512");
  const manifest = {
    ...a.manifest,
    bytes: Buffer.from(a.manifest.bytes.toString().replace(digestOf(layer), digest)),
  };
  await using destination = await destinationOf(dir.path, "docker-archive:a.tar");
  await destination.putBlob(
    { content: fromBuffer(layer), info: { mediaType: "x", digest } },
    never,
  );
  await put(destination, { ...a, manifest });
  await destination.commit(never);
  await using source = await sourceOf(dir.path, "docker-archive:a.tar");
  assert.deepEqual((await read(source)).layers, a.layers);
});
