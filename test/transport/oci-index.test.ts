import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import {
  addEntry,
  formatIndex,
  parseIndex,
  selectEntry,
  typeOf,
} from "../../src/transport/oci-index.ts";

const NAME = "org.opencontainers.image.ref.name";
const D = digestOf(Buffer.from("d"));
const E = digestOf(Buffer.from("e"));
const descriptor = (digest: typeof D) => ({ mediaType: OCI_MANIFEST, digest, size: 7 });
const entry = (digest: typeof D, name?: string, more: object = {}) => ({
  ...descriptor(digest),
  ...(name !== undefined && { annotations: { [NAME]: name } }),
  ...more,
});
const indexOf = (...manifests: readonly object[]) =>
  parseIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));

test("an image is added to an index", async (t) => {
  const foreign = entry(D, "x", {
    platform: { os: "linux" },
    annotations: { [NAME]: "x", "org.example": "kept" },
  });
  const cases: readonly (readonly [
    what: string,
    before: readonly object[],
    digest: typeof D,
    name: string | undefined,
    after: readonly object[],
  ])[] = [
    ["to an empty one", [], D, "x", [entry(D, "x")]],
    ["without a name", [], D, undefined, [entry(D)]],
    ["beside other images, which stay as they are", [foreign], E, "y", [foreign, entry(E, "y")]],
    ["again, which changes nothing", [entry(D, "x")], D, "x", [entry(D, "x")]],
    ["without a name again, which changes nothing", [entry(D)], D, undefined, [entry(D)]],
    [
      "under a name that another image had: that one stays without it",
      [entry(D, "x")],
      E,
      "x",
      [entry(D), entry(E, "x")],
    ],
    [
      "under a name that had more annotations: those stay",
      [foreign],
      E,
      "x",
      [{ ...foreign, annotations: { "org.example": "kept" } }, entry(E, "x")],
    ],
    ["under a second name", [entry(D, "x")], D, "y", [entry(D, "x"), entry(D, "y")]],
    [
      "where the same image has no name: it gets this one",
      [entry(E), entry(D)],
      D,
      "x",
      [entry(E), entry(D, "x")],
    ],
    [
      "under a name that two images had",
      [entry(D, "x"), entry(E, "x")],
      E,
      "x",
      [entry(D), entry(E, "x")],
    ],
    [
      "so that no two entries without a name are the same",
      [entry(D), entry(D, "x")],
      E,
      "x",
      [entry(D), entry(E, "x")],
    ],
  ];
  for (const [what, before, digest, name, after] of cases) {
    await t.test(what, () =>
      assert.deepEqual(addEntry(indexOf(...before), descriptor(digest), name).entries, after),
    );
  }
  await t.test("and its unknown fields stay", () => {
    const index = parseIndex(
      Buffer.from(`{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[]}`),
    );
    assert.deepEqual(JSON.parse(formatIndex(addEntry(index, descriptor(D), "x")).toString()), {
      schemaVersion: 2,
      annotations: { a: "b" },
      manifests: [entry(D, "x")],
    });
  });
});

test("a reference selects an entry", async (t) => {
  const index = indexOf(
    entry(D, "x", { mediaType: "text/plain" }),
    entry(E, "x", { mediaType: DOCKER_LIST }),
    entry(D, "z", { mediaType: "text/plain" }),
    { digest: D, size: 7 },
  );
  const select = (reference: object) =>
    selectEntry(index, { transport: "oci", path: "p", ...reference });
  await t.test("by name: the first of a manifest's type", () =>
    assert.deepEqual(select({ name: "x" }), { digest: E, mediaType: DOCKER_LIST }),
  );
  await t.test("by place, whatever its type, which may be missing", () =>
    assert.deepEqual(select({ entry: 3 }), { digest: D, mediaType: undefined }),
  );
  await t.test("by a name of which nothing is a manifest: none", () =>
    assert.match((select({ name: "z" }) as { reason: string }).reason, /text\/plain/),
  );
  await t.test("by no name, where there are several: none", () =>
    assert.match((select({}) as { reason: string }).reason, /4 images.*`x`/),
  );
  const sbom = entry(E, undefined, { artifactType: "application/vnd.example" });
  const signature = entry(E, `sha256-${"0".repeat(64)}.sig`);
  const unnamed = { transport: "oci", path: "p" } as const;
  for (const [what, others] of [
    ["an SBOM", [sbom]],
    ["a signature", [signature]],
    ["both", [sbom, signature]],
  ] as const)
    await t.test(`by no name: the image that has ${what} besides`, () =>
      assert.deepEqual(selectEntry(indexOf(entry(D), ...others), unnamed), {
        digest: D,
        mediaType: OCI_MANIFEST,
      }),
    );
  await t.test("by no name: an artifact, if nothing else is there", () =>
    assert.deepEqual(selectEntry(indexOf(sbom), unnamed), { digest: E, mediaType: OCI_MANIFEST }),
  );
  await t.test("by no name, where there are several artifacts: none", () =>
    assert.match(
      (
        selectEntry(indexOf(sbom, entry(D, undefined, { artifactType: "a" })), unnamed) as {
          reason: string;
        }
      ).reason,
      /2 images/,
    ),
  );
  await t.test("a digest has the type that the index gives it", () =>
    assert.equal(typeOf(indexOf(entry(E, "x", { mediaType: OCI_INDEX })), E), OCI_INDEX),
  );
});
