// Digests that are none (reliability T15) and digests of other algorithms (T16): what is not exactly a digest reaches no address and no
// path.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_INDEX, OCI_MANIFEST, SCHEMA1 } from "../../src/image/media-types.ts";
import { parseReference } from "../../src/image/reference.ts";
import { makeImage, makeList } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import { useBench } from "./bench.ts";
import { honest, withTop, type HostileImage } from "./sources.ts";

const bench = useBench();
const hex = "a".repeat(64);
const NO_DIGESTS: readonly (readonly [name: string, value: unknown])[] = [
  ["a path", "sha256:../../x"],
  ["nothing after the colon", "sha256:"],
  ["an algorithm in capitals", `SHA256:${hex}`],
  ["capital digits", `sha256:${"A".repeat(64)}`],
  ["63 digits", `sha256:${"a".repeat(63)}`],
  ["65 digits", `sha256:${"a".repeat(65)}`],
  ["a path behind it", `sha256:${hex}/../`],
  ["sha512 with too few digits", `sha512:${hex}`],
  ["md5", `md5:${"a".repeat(32)}`],
  ["a NUL in it", `sha256:${"a".repeat(63)}\0`],
  ["an escaped path", `sha256:%2e%2e${"a".repeat(58)}`],
  ["blanks around it", ` sha256:${hex}`],
  ["digits of another script", `sha256:${"１".repeat(64)}`],
  ["a prototype's name", "__proto__:x"],
  ["a number", 5],
  ["null", null],
  ["a list", [`sha256:${hex}`]],
];

const image = makeImage();
const list = makeList([image]);
type Document = Record<string, Record<string, unknown> & Record<string, unknown>[]>;
const edited = (base: HostileImage, edit: (document: Document) => void): HostileImage => {
  const document = documentOf(base.top) as Document;
  edit(document);
  return withTop(base, base.top.mediaType, document);
};
const subject = (digest: unknown) => ({ mediaType: OCI_MANIFEST, digest, size: 5 });

/** No layout names an image of schema 1. */
const NOT_IN_LAYOUTS: ReadonlySet<string> = new Set(["a layer of schema 1"]);
const POSITIONS: readonly (readonly [name: string, put: (digest: unknown) => HostileImage])[] = [
  [
    "a config",
    (d) => edited(honest(image), (m) => Object.assign(m["config"] ?? {}, { digest: d })),
  ],
  [
    "a layer",
    (d) => edited(honest(image), (m) => Object.assign(m["layers"]?.[1] ?? {}, { digest: d })),
  ],
  [
    "an entry of a list",
    (d) => edited(honest(list), (m) => Object.assign(m["manifests"]?.[0] ?? {}, { digest: d })),
  ],
  [
    "the subject of an image",
    (d) => edited(honest(image), (m) => Object.assign(m, { subject: subject(d) })),
  ],
  [
    "the subject of a list",
    (d) => edited(honest(list), (m) => Object.assign(m, { subject: subject(d) })),
  ],
  [
    "a layer of schema 1",
    (d) =>
      withTop(honest(image), SCHEMA1, {
        schemaVersion: 1,
        name: "app",
        tag: "1",
        architecture: "amd64",
        fsLayers: [{ blobSum: d }],
        history: [{ v1Compatibility: JSON.stringify({ id: hex }) }],
      }),
  ],
];

for (const [position, put] of POSITIONS) {
  test(`${position} whose digest is none is refused before anything else is asked for`, async () => {
    for (const [, value] of NO_DIGESTS) {
      const hostile = put(value);
      const asked = bench().liar.requests.length;
      const expected = { code: "manifest_invalid", words: /digest|blobSum/ } as const;
      await bench().assertRefusedFrom(hostile, (kind) =>
        kind === "oci" && NOT_IN_LAYOUTS.has(position) ? undefined : expected,
      );
      const after = bench().liar.requests.slice(asked);
      assert.deepEqual(
        after.filter(({ kind }) => kind === "blobs"),
        [],
      );
    }
  });
}

test("a layout's entry whose digest is none makes its index invalid", async () => {
  for (const [, digest] of NO_DIGESTS) {
    const source = await bench().place("oci", honest(image));
    const [, name = ""] = source.split(":");
    const index = { schemaVersion: 2, manifests: [{ mediaType: OCI_INDEX, digest, size: 5 }] };
    await writeFile(join(bench().dataDir, name, "index.json"), JSON.stringify(index));
    await bench().assertRefused(source, { code: "manifest_invalid", words: /digest/ });
  }
});

test("a reference with a digest that is none is refused where it is written", () => {
  for (const [, digest] of NO_DIGESTS) {
    if (typeof digest !== "string") continue;
    assert.throws(
      () => parseReference(`docker://registry.example/app@${digest}`),
      (error) => error instanceof CopyError && error.code === "reference_invalid",
      digest,
    );
  }
});

test("annotations that look like digests and are paths are text: they arrive as they were", async () => {
  const annotations = Object.fromEntries(
    NO_DIGESTS.flatMap(([name, d]) => (typeof d === "string" ? [[name, d]] : [])),
  );
  for (const key of [
    "org.opencontainers.image.base.digest",
    "io.github.containers.zstd-chunked.manifest-checksum",
    "io.github.containers.zstd-chunked.manifest-position",
  ])
    annotations[key] = "sha256:../../x";
  const hostile = edited(honest(image), (m) => {
    Object.assign(m, { annotations });
    Object.assign(m["layers"]?.[0] ?? {}, { annotations });
  });
  const destination = bench().destination("oci, fresh");
  const { digest } = await bench().copy(await bench().place("docker", hostile), destination);
  assert.equal(digest, digestOf(hostile.top.bytes));
});

test("a layer that is named by its sha512 arrives under that name", async () => {
  const [, layer = Buffer.of()] = [...image.blobs.values()];
  const digest = digestOf(layer, "sha512");
  const named = edited(honest(image), (m) => Object.assign(m["layers"]?.[0] ?? {}, { digest }));
  const hostile = { ...named, blobs: new Map([...named.blobs, [digest, layer]]) };
  for (const kind of ["docker", "oci", "dir"] as const) {
    const destination = bench().destination("oci, fresh");
    await bench().copy(await bench().place(kind, hostile), destination);
    const [, name = ""] = destination.split(":");
    const file = join(bench().dataDir, name, "blobs", digest.replace(":", "/"));
    assert.deepEqual(await readFile(file), layer);
    await bench().copy(await bench().place(kind, hostile), bench().destination("docker, fresh"));
    await bench().copy(await bench().place(kind, hostile), bench().destination("dir, fresh"));
  }
});

test("a layer whose sha512 is wrong is refused, though its sha256 is kept elsewhere in the image", async () => {
  const [, layer = Buffer.of(), other = Buffer.of()] = [...image.blobs.values()];
  const digest = digestOf(other, "sha512");
  const size = layer.length;
  const named = edited(honest(image), (m) =>
    Object.assign(m["layers"]?.[0] ?? {}, { digest, size }),
  );
  const hostile = { ...named, blobs: new Map([...named.blobs, [digest, layer]]) };
  await bench().assertRefusedFrom(hostile, { code: "digest_mismatch" });
});
