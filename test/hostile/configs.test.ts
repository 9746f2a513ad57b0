// Configs that must be understood where an image changes its format, and are any bytes where it does not; and docker schema 1, whose
// layers' texts are its config.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST, SCHEMA1, SCHEMA1_SIGNED, SCHEMA2 } from "../../src/image/media-types.ts";
import { makeImage } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import { makeSchema1 } from "../support/schema1.ts";
import { useBench } from "./bench.ts";
import { honest, withTop, type HostileImage, type SourceKind } from "./sources.ts";

const bench = useBench();
const MIB = 1024 * 1024;

/** A schema 2 image with this config. */
function withConfig(config: Buffer): HostileImage {
  const image = makeImage({ mediaTypes: "docker", seed: "config" });
  const document = documentOf(image.manifest);
  const digest = digestOf(config);
  const own = { ...document.config, digest, size: config.length };
  return {
    ...withTop(honest(image), SCHEMA2, { ...document, config: own }),
    blobs: new Map([...image.blobs, [digest, config]]),
  };
}
const base = JSON.parse(
  (
    makeImage({ mediaTypes: "docker", seed: "config" }).blobs.values().next().value as Buffer
  ).toString(),
) as { history: object[] };
const text = JSON.stringify(base);

const toOci = { options: { forceManifestMimeType: OCI_MANIFEST } } as const;
for (const [name, config] of [
  ["no JSON", "hello"],
  ["nothing", ""],
  ["a list", "[]"],
  ["null", "null"],
  ["half of it", text.slice(0, 100)],
  ["more than is looked into", JSON.stringify({ ...base, comment: "x".repeat(5 * MIB) })],
  ["brackets without end", "[".repeat(MIB)],
  [
    "more values than anybody has",
    JSON.stringify({ ...base, x: Array.from({ length: 600_000 }, () => 0) }),
  ],
  ["a key twice", text.replace("{", '{"os":"a",')],
  ["not UTF-8", Buffer.from(text.replace("{", '{"\xff":1,'), "latin1")],
  ["a history that is text", JSON.stringify({ ...base, history: "x" })],
  ["labels that are numbers", JSON.stringify({ ...base, config: { Labels: { a: 1 } } })],
] as const) {
  test(`a config that is ${name} is refused where it must be converted, and copied where not`, async () => {
    const hostile = withConfig(Buffer.from(config));
    await bench().assertRefusedFrom(hostile, { code: "manifest_invalid", words: /config/ }, toOci);
    const source = await bench().place("docker", hostile);
    if (config.length > 0) await bench().copy(source, bench().destination("docker, fresh"));
  });
}

const toSchema1 = { options: { forceManifestMimeType: SCHEMA1_SIGNED } } as const;
const [line1 = {}] = base.history;
for (const [name, history] of [
  ["fewer layers than there are", base.history.slice(1)],
  ["more layers than there are", [...base.history, line1]],
  ["none but empty layers", base.history.map((entry) => ({ ...entry, empty_layer: true }))],
] as const) {
  test(`a config whose history tells of ${name} is refused where each layer needs its line`, async () => {
    const hostile = withConfig(Buffer.from(JSON.stringify({ ...base, history })));
    const to = bench().destination("dir, fresh");
    const expected = { code: "manifest_rejected", side: "destination", words: /history/ } as const;
    await bench().assertRefusedFrom(hostile, expected, toSchema1, to);
  });
}

test("diffIDs that do not fit are nobody's business who moves the layers as they are", async () => {
  const rootfs = { type: "layers", diff_ids: ["sha256:../../x"] };
  const hostile = withConfig(Buffer.from(JSON.stringify({ ...base, rootfs })));
  const { digest } = await bench().copy(
    await bench().place("docker", hostile),
    bench().destination("docker, fresh"),
  );
  assert.equal(digest, digestOf(hostile.top.bytes));
});

interface Schema1 {
  fsLayers: { blobSum: string }[];
  history: { v1Compatibility: string }[];
  signatures?: { protected: string; signature: string }[];
}
const schema1 = makeSchema1({ seed: "one", signed: false, name: "app", tag: "1" });
const signed = makeSchema1({ seed: "one", signed: true, name: "app", tag: "1" });
const edited = (edit: (document: Schema1) => void, of = schema1): HostileImage => {
  const document = JSON.parse(of.root.bytes.toString()) as Schema1;
  edit(document);
  const mediaType = of === signed ? SCHEMA1_SIGNED : SCHEMA1;
  return withTop({ top: of.root, manifests: new Map(), blobs: of.blobs }, mediaType, document);
};
const line = (document: Schema1, at: number, fields: object): void => {
  const entry = document.history[at] ?? assert.fail();
  const before = JSON.parse(entry.v1Compatibility) as object;
  entry.v1Compatibility = JSON.stringify({ ...before, ...fields });
};
/** No layout names an image of schema 1. */
const REACHED: ReadonlySet<SourceKind> = new Set(["docker", "dir"]);

for (const [name, hostile] of [
  ["a parent that is not there", edited((d) => line(d, 0, { parent: "a".repeat(64) }))],
  ["a root with a parent", edited((d) => line(d, 2, { parent: "a".repeat(64) }))],
  [
    "a parent that is itself",
    edited((d) =>
      line(d, 0, {
        parent: (JSON.parse(d.history[0]?.v1Compatibility ?? "") as { id: string }).id,
      }),
    ),
  ],
  ["an id twice, not side by side", edited((d) => (d.history[2] = d.history[0] ?? assert.fail()))],
  ["an id that is a path", edited((d) => line(d, 0, { id: "../../x" }))],
  ["an id that is a number", edited((d) => line(d, 0, { id: 5 }))],
  ["a text that is no JSON", edited((d) => (d.history[1] = { v1Compatibility: "{" }))],
  ["a text of brackets", edited((d) => (d.history[1] = { v1Compatibility: "[".repeat(100_000) }))],
  ["more history than layers", edited((d) => d.fsLayers.pop())],
  ["no layers", edited((d) => (d.fsLayers = d.history = []))],
  [
    "ten thousand layers",
    edited((d) => {
      d.fsLayers = Array.from({ length: 10_000 }, () => d.fsLayers[0] ?? assert.fail());
      d.history = d.fsLayers.map((_, i) => ({
        v1Compatibility: `{"id":"${String(i).padStart(64, "0")}"}`,
      }));
    }),
  ],
  ["a signature over another document", edited((d) => d.fsLayers.reverse(), signed)],
  [
    "a signature that says it covers less",
    edited((d) => {
      const [first = assert.fail()] = d.signatures ?? [];
      first.protected = Buffer.from('{"formatLength":2,"formatTail":"fQ"}').toString("base64url");
    }, signed),
  ],
  [
    "a signature that says it covers more",
    edited((d) => {
      const [first = assert.fail()] = d.signatures ?? [];
      first.protected = Buffer.from('{"formatLength":99999999,"formatTail":"fQ"}').toString(
        "base64url",
      );
    }, signed),
  ],
  [
    "a signature that covers nothing that can be read",
    edited((d) => {
      const [first = assert.fail()] = d.signatures ?? [];
      first.protected = "%%%";
    }, signed),
  ],
  ["no signature in its list of them", edited((d) => (d.signatures = []), signed)],
] as const) {
  test(`schema 1 with ${name} is refused`, () =>
    bench().assertRefusedFrom(hostile, (kind) =>
      REACHED.has(kind) ? { code: "manifest_invalid" } : undefined,
    ));
}

test("honest schema 1, signed and not, is copied", async () => {
  for (const { root, blobs } of [schema1, signed]) {
    const source = await bench().place("docker", { top: root, manifests: new Map(), blobs });
    await bench().copy(source, bench().destination("docker, fresh"));
    await bench().copy(source, bench().destination("oci, fresh"));
  }
});
