import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../../src/errors.ts";
import { editList, type ListOperation } from "../../../src/image/manifest/list-edit.ts";
import { parseList, ZSTD_ANNOTATION } from "../../../src/image/manifest/list.ts";
import type { RawManifest } from "../../../src/image/manifest/manifest.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../../../src/image/media-types.ts";
import { digest, documentOf, entry } from "../../support/manifests.ts";

const HOST = { os: "linux", architecture: "riscv64", variant: "x" };
const ZSTD = { [ZSTD_ANNOTATION]: "true" };
const AMD64 = { architecture: "amd64", os: "linux" };
const instance = (name: string, more: object = {}) => entry(OCI_MANIFEST, name, more);
const raw = (mediaType: string, manifests: readonly object[], more: object = {}): RawManifest => ({
  mediaType,
  bytes: Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, manifests, ...more }, undefined, 1),
  ),
});
const written = (name: string, zstd = false) => ({
  digest: digest(name),
  size: name.length,
  mediaType: OCI_MANIFEST,
  zstd,
});
const add = (name: string, zstd = false, like = 0): ListOperation => ({
  type: "add",
  like,
  ...written(name, zstd),
});
const updated = (index: number, name: string, zstd = false): ListOperation => ({
  type: "update",
  index,
  ...written(name, zstd),
});
const remove = (index: number): ListOperation => ({ type: "remove", index });
const edit = (list: RawManifest, ...operations: ListOperation[]) =>
  editList(list, { operations }, HOST);
const names = ["ppc", "amd", "aaaa", "cccc", "eeee", "ffff", "hhhh", "new", "arm"];
const namesIn = (list: RawManifest) =>
  parseList(list).instances.map((found) => names.find((name) => digest(name) === found.digest));

const both = [
  instance("ppc", { platform: { architecture: "ppc64le", os: "linux" } }),
  instance("amd", { platform: AMD64 }),
];

// semantics 11.3 M
test("what is added to an index comes last, and zstd after all others", () => {
  const list = edit(
    raw(OCI_INDEX, both),
    add("aaaa"),
    add("eeee", true),
    add("hhhh", true),
    add("ffff", true),
    add("cccc"),
  );
  assert.deepEqual(namesIn(list), ["ppc", "amd", "aaaa", "cccc", "eeee", "hhhh", "ffff"]);
});

test("what is added is described like the entry that it stands beside", () => {
  const like = instance("amd", {
    platform: AMD64,
    annotations: { a: "b" },
    artifactType: "application/x",
    urls: ["https://x"],
    data: "e30=",
  });
  const { manifests } = documentOf(edit(raw(OCI_INDEX, [both[0]!, like]), add("new", true, 1)));
  assert.deepEqual(
    manifests[2],
    instance("new", {
      annotations: { a: "b", ...ZSTD },
      platform: AMD64,
      artifactType: "application/x",
    }),
  );
});

test("a zstd entry moves behind the others once something is added, not before", () => {
  const list = raw(OCI_INDEX, [instance("eeee", { annotations: ZSTD }), instance("amd")]);
  assert.deepEqual(namesIn(edit(list, updated(1, "new"))), ["eeee", "new"]);
  assert.deepEqual(namesIn(edit(list, add("new", false, 1))), ["amd", "new", "eeee"]);
});

test("an update changes digest, size and type, and marks zstd; the rest stays", () => {
  const own = {
    platform: AMD64,
    annotations: { a: "b" },
    artifactType: "application/x",
    urls: ["https://x"],
    data: "e30=",
  };
  const list = raw(OCI_INDEX, [instance("ppc"), instance("amd", own)], {
    annotations: { l: "m" },
    subject: instance("aaaa", { annotations: { s: "t" } }),
    artifactType: "application/y",
    extension: "lost",
  });
  const { extension: _, ...kept } = documentOf(list);
  assert.deepEqual(documentOf(edit(list, updated(1, "new", true))), {
    ...kept,
    manifests: [instance("ppc"), instance("new", { ...own, annotations: { a: "b", ...ZSTD } })],
  });
});

test("the mark of zstd is never taken away", () => {
  const list = edit(raw(OCI_INDEX, [instance("amd", { annotations: ZSTD })]), updated(0, "new"));
  assert.deepEqual(documentOf(list).manifests, [instance("new", { annotations: ZSTD })]);
});

test("an operation means the entry at its place, though another has the same digest", () => {
  const twice = raw(OCI_INDEX, [
    instance("amd"),
    instance("amd", { platform: AMD64 }),
    instance("ppc"),
  ]);
  assert.deepEqual(namesIn(edit(twice, updated(1, "new"))), ["amd", "new", "ppc"]);
  assert.deepEqual(namesIn(edit(twice, updated(0, "ppc"), updated(2, "new"))), [
    "ppc",
    "amd",
    "new",
  ]);
  assert.deepEqual(namesIn(edit(twice, remove(0), updated(2, "new"), add("arm", false, 0))), [
    "amd",
    "new",
    "arm",
  ]);
});

test("a list of which nothing changes is the bytes that were read, with all that we do not know", () => {
  for (const mediaType of [OCI_INDEX, DOCKER_LIST]) {
    const list = raw(mediaType, [instance("amd", { platform: AMD64, extension: 1 })], {
      extension: { a: [1.5] },
    });
    assert.equal(editList(list, { operations: [updated(0, "amd")], mediaType }, HOST), list);
    assert.equal(edit(list), list);
    assert.equal("extension" in documentOf(edit(list, updated(0, "new"))), false);
  }
  const untyped = raw(OCI_INDEX, [instance("amd")], { mediaType: undefined });
  assert.equal(edit(untyped, updated(0, "amd")), untyped);
  assert.equal(documentOf(edit(untyped, updated(0, "new"))).mediaType, OCI_INDEX);
});

test("a copy with zstd layers changes an index that does not mark them", () => {
  const list = raw(OCI_INDEX, [instance("amd")]);
  assert.deepEqual(documentOf(edit(list, updated(0, "amd", true))).manifests, [
    instance("amd", { annotations: ZSTD }),
  ]);
});

const FULL = {
  architecture: "arm",
  os: "windows",
  "os.version": "10",
  "os.features": ["f"],
  variant: "v7",
};

test("a docker list has no annotations, keeps the features of the CPU, and is not sorted", () => {
  const list = raw(DOCKER_LIST, [
    {
      mediaType: SCHEMA2,
      size: 3,
      digest: digest("arm"),
      annotations: { a: "b" },
      platform: { ...FULL, features: ["sse4"] },
    },
    instance("amd", { platform: AMD64 }),
  ]);
  const made = edit(list, updated(1, "new", true), add("aaaa", true, 0));
  assert.equal(
    made.bytes.toString(),
    `{"schemaVersion":2,"mediaType":"${DOCKER_LIST}","manifests":[{"mediaType":"${SCHEMA2}","size":3,"digest":"${digest("arm")}","platform":{"architecture":"arm","os":"windows","os.version":"10","os.features":["f"],"variant":"v7","features":["sse4"]}},{"mediaType":"${OCI_MANIFEST}","size":3,"digest":"${digest("new")}","platform":{"architecture":"amd64","os":"linux"}},{"mediaType":"${OCI_MANIFEST}","size":4,"digest":"${digest("aaaa")}","platform":{"architecture":"arm","os":"windows","os.version":"10","os.features":["f"],"variant":"v7","features":["sse4"]}}]}`,
  );
});

// semantics 1.5.3
test("a docker list becomes an index without the features of the CPU", () => {
  const list = raw(DOCKER_LIST, [
    instance("arm", { platform: { ...FULL, features: ["sse4"] }, urls: ["https://x"] }),
    instance("amd"),
  ]);
  const made = editList(
    list,
    { mediaType: OCI_INDEX, operations: [updated(0, "new", true)] },
    HOST,
  );
  assert.deepEqual(documentOf(made), {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      instance("new", { platform: FULL, urls: ["https://x"] }),
      instance("amd", { platform: { architecture: "", os: "" } }),
    ],
  });
});

test("an index becomes a docker list without annotations, and an entry without a platform gets this machine's", () => {
  const own = {
    platform: FULL,
    urls: ["https://x"],
    annotations: { a: "b" },
    artifactType: "application/x",
    data: "e30=",
  };
  const list = raw(OCI_INDEX, [instance("arm", own), instance("amd")], {
    annotations: { l: "m" },
    subject: instance("ppc"),
  });
  const made = editList(list, { mediaType: DOCKER_LIST, operations: [] }, HOST);
  assert.deepEqual(documentOf(made), {
    schemaVersion: 2,
    mediaType: DOCKER_LIST,
    manifests: [
      instance("arm", { urls: ["https://x"], platform: FULL }),
      instance("amd", { platform: { architecture: "riscv64", os: "linux" } }),
    ],
  });
  assert.equal(made.mediaType, DOCKER_LIST);
});

test("a list becomes no image", () => {
  assert.throws(
    () => editList(raw(OCI_INDEX, both), { mediaType: SCHEMA2, operations: [] }, HOST),
    (error) => error instanceof CopyError && error.code === "manifest_rejected",
  );
});
