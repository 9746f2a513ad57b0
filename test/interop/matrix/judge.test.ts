// A comparer that cannot say "different" proves nothing: each of these copies has one thing wrong with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Digest } from "../../../src/image/digest.ts";
import { unpack } from "../../support/layers.ts";
import { dirFiles, layoutFiles, type Files } from "../../support/places.ts";
import { documentOf, readDir, readLayout, type Tree } from "../../support/readings.ts";
import { AMD64, makeSample, makeSampleList, type Sample } from "../../support/samples.ts";
import { gzipSync } from "node:zlib";
import { compare } from "./compare.ts";
import { allCases } from "./cases.ts";
import { byNewest, judge } from "./judge.ts";
import type { Case, Judgement, Made, Result } from "./model.ts";
import { faultIn } from "./sound.ts";

const treeOf = (files: Files): Map<string, { bytes: Buffer; mode: number }> =>
  new Map([...files].map(([path, bytes]) => [path, { bytes, mode: 0o644 }]));

async function madeDir(
  sample: Sample,
  change?: (tree: Map<string, { bytes: Buffer; mode: number }>) => void,
): Promise<Made> {
  const tree = treeOf(dirFiles(sample));
  change?.(tree);
  return { tree, sample: (await readDir(tree)) as Sample };
}

async function madeLayout(sample: Sample): Promise<Made> {
  const tree: Tree = treeOf(layoutFiles(sample, "copy"));
  return { tree, sample: (await readLayout(tree, "copy")) as Sample };
}

const IMAGE = makeSample({ seed: "one", layers: [{ packing: "none" }, {}] });
const LIST = makeSampleList([
  { sample: IMAGE, platform: AMD64 },
  { sample: makeSample({ seed: "two" }), platform: { os: "linux", architecture: "arm64" } },
]);

/** The sample with other bytes in the place of one blob, and every digest and size that follows from it. */
function withBlob(
  sample: Sample,
  old: Digest,
  bytes: Buffer,
  edit = (text: string) => text,
): Sample {
  const fresh = digestOf(bytes);
  const size = sample.blobs.get(old)?.length;
  const text = edit(
    sample.root.bytes
      .toString()
      .replace(`"${old}","size":${size}`, `"${fresh}","size":${bytes.length}`),
  );
  const blobs = new Map(sample.blobs);
  blobs.delete(old);
  return {
    ...sample,
    root: { ...sample.root, bytes: Buffer.from(text) },
    blobs: blobs.set(fresh, bytes),
  };
}

/** The image with its first layer compressed, as a type says. */
function compressed(level: number, type = "application/vnd.oci.image.layer.v1.tar+gzip"): Sample {
  const layer = (documentOf(IMAGE.root).layers ?? [])[0]?.digest as Digest;
  const bytes = gzipSync(IMAGE.blobs.get(layer) as Buffer, { level });
  return withBlob(IMAGE, layer, bytes, (text) =>
    text.replace('"application/vnd.oci.image.layer.v1.tar",', `"${type}",`),
  );
}

/** The image with another config. */
function withConfig(change: (config: string) => string): Sample {
  const config = documentOf(IMAGE.root).config?.digest as Digest;
  return withBlob(
    IMAGE,
    config,
    Buffer.from(change((IMAGE.blobs.get(config) as Buffer).toString())),
  );
}

test("a copy is the same as itself, wherever it is read from", async () => {
  for (const made of [madeDir, madeLayout])
    for (const sample of [IMAGE, LIST])
      assert.deepEqual(compare(await made(sample), await made(sample)), { verdict: "same" });
});

test("layers that two compressors have compressed are the same content", async () => {
  assert.notDeepEqual(compressed(1).root, compressed(9).root);
  assert.deepEqual(compare(await madeDir(compressed(1)), await madeDir(compressed(9))), {
    verdict: "recompressed",
  });
  assert.deepEqual(compare(await madeLayout(compressed(1)), await madeLayout(compressed(9))), {
    verdict: "recompressed",
  });
});

const lastFile = (tree: Map<string, { bytes: Buffer; mode: number }>): string =>
  [...tree.keys()].at(-1) as string;

/** What is wrong with the second of two copies that are to be told apart. */
const WRONG: Readonly<Record<string, () => Promise<readonly [Made, Made]>>> = {
  "a byte of an uncompressed layer": async () => {
    const layer = (documentOf(IMAGE.root).layers ?? [])[0]?.digest as Digest;
    const bytes = Buffer.from(IMAGE.blobs.get(layer) as Buffer);
    bytes[600] = (bytes[600] as number) ^ 1;
    return [await madeDir(IMAGE), await madeDir(withBlob(IMAGE, layer, bytes))];
  },
  "a byte inside a layer that was compressed anew": async () => {
    const [digest, bytes] = [...compressed(9).blobs].find(([, blob]) => unpack(blob)) as [
      Digest,
      Buffer,
    ];
    const plain = Buffer.from(unpack(bytes)?.bytes as Buffer);
    plain[600] = (plain[600] as number) ^ 1;
    return [
      await madeDir(compressed(1)),
      await madeDir(withBlob(compressed(9), digest, gzipSync(plain))),
    ];
  },
  "the media type of a layer that was compressed anew": async () => [
    await madeDir(compressed(1)),
    await madeDir(compressed(9, "application/vnd.oci.image.layer.v1.tar+zstd")),
  ],
  "an entry dropped from the history": async () => [
    await madeDir(IMAGE),
    await madeDir(withConfig((config) => config.replace(/"history":\[\{[^}]+\},/, '"history":['))),
  ],
  "a space in the config": async () => [
    await madeLayout(IMAGE),
    await madeLayout(withConfig((config) => `${config} `)),
  ],
  "the order of fields in the manifest": async () => {
    const text = IMAGE.root.bytes.toString();
    const bytes = Buffer.from(
      text.replace(/^\{"schemaVersion":2,(.*)\}$/, '{$1,"schemaVersion":2}'),
    );
    return [await madeDir(IMAGE), await madeDir({ ...IMAGE, root: { ...IMAGE.root, bytes } })];
  },
  "white space in the manifest": async () => {
    const bytes = Buffer.from(IMAGE.root.bytes.toString().replace(",", ", "));
    return [
      await madeLayout(IMAGE),
      await madeLayout({ ...IMAGE, root: { ...IMAGE.root, bytes } }),
    ];
  },
  "an annotation of a layer": async () => {
    const text = IMAGE.root.bytes.toString();
    const bytes = Buffer.from(text.replace(/\}\]\}$/, ',"annotations":{"a":"b"}}]}'));
    return [await madeDir(IMAGE), await madeDir({ ...IMAGE, root: { ...IMAGE.root, bytes } })];
  },
  "an image missing from a list": async () => {
    const [first] = LIST.manifests.keys();
    const manifests = new Map([...LIST.manifests].filter(([digest]) => digest !== first));
    return [await madeLayout(LIST), await madeLayout({ ...LIST, manifests })];
  },
  "a file that is missing": async () => [
    await madeDir(IMAGE),
    await madeDir(IMAGE, (tree) => tree.delete("version")),
  ],
  "a file too many": async () => [
    await madeDir(IMAGE),
    await madeDir(IMAGE, (tree) => tree.set("left-over", { bytes: Buffer.alloc(1), mode: 0o644 })),
  ],
  "the mode of a file": async () => [
    await madeDir(IMAGE),
    await madeDir(IMAGE, (tree) => {
      const name = lastFile(tree);
      tree.set(name, { bytes: tree.get(name)?.bytes as Buffer, mode: 0o600 });
    }),
  ],
  "a signature": async () => [
    await madeDir(IMAGE),
    await madeDir(IMAGE, (tree) =>
      tree.set("signature-1", { bytes: Buffer.alloc(9), mode: 0o644 }),
    ),
  ],
};

for (const [wrong, make] of Object.entries(WRONG)) {
  test(`two copies are told apart by ${wrong}`, async () => {
    const [theirs, ours] = await make();
    assert.equal(compare(theirs, ours).verdict, "different");
  });
}

const ANY = allCases().find(({ name }) => name === "oci → dir, s2, none") as Case;
const verdictOf = (theirs: Result, ours: Result, version = "1.22.0"): string =>
  judge(ANY, version, theirs, ours, IMAGE).verdict;

const done = (made: Made): Result => ({
  answer: { kind: "done", digest: digestOf((made.sample as Sample).root.bytes) },
  before: {},
  made,
});
const refused = (text: string, code?: string): Result => ({
  answer: { kind: "refused", text, ...(code !== undefined && { code }) },
  before: {},
  made: {},
});

test("a refusal is the same only for the same reason", async () => {
  const theirs = refused('no image found in image index for architecture "amd64"');
  assert.equal(verdictOf(theirs, refused("", "platform_not_found")), "refused");
  assert.equal(verdictOf(theirs, refused("", "manifest_invalid")), "different");
  assert.equal(verdictOf(refused("what nobody knows"), refused("", "internal")), "different");
});

test("what one refuses and the other copies is different", async () => {
  const made = await madeDir(IMAGE);
  assert.equal(verdictOf(done(made), refused("", "internal")), "different");
  assert.equal(verdictOf(refused("any"), done(made)), "different");
  assert.equal(verdictOf(done(made), done(made)), "same");
});

test("what an older skopeo cannot do yet is no difference, and it is one from the newest", async () => {
  const ours = done(await madeDir(IMAGE));
  const theirs = refused('no descriptor found for reference "copy"');
  assert.equal(verdictOf(theirs, ours, "1.9.3"), "older");
  assert.equal(verdictOf(theirs, ours, "1.22.0"), "different");
  assert.equal(verdictOf(refused("what nobody knows"), ours, "1.9.3"), "different");
});

test("what differs from an older skopeo, and not from the newest, is that one's age", () => {
  const verdicts = (...all: Judgement["verdict"][]) =>
    byNewest(all.map((verdict) => ({ verdict, why: "" }))).map(({ verdict }) => verdict);
  assert.deepEqual(verdicts("different", "same"), ["older", "same"]);
  assert.deepEqual(verdicts("different", "different"), ["different", "different"]);
  assert.deepEqual(verdicts("different"), ["different"]);
});

test("a refusal that leaves an image behind is no refusal", async () => {
  const theirs = refused("no image found in image index");
  const ours = { ...refused("", "platform_not_found"), made: await madeDir(IMAGE) };
  assert.equal(verdictOf(theirs, ours), "different");
  assert.equal(verdictOf(theirs, { ...ours, before: ours.made }), "refused");
});

test("a copy that is not what we say that we wrote is different", async () => {
  const made = await madeDir(IMAGE);
  const ours: Result = {
    ...done(made),
    answer: { kind: "done", digest: digestOf(Buffer.alloc(0)) },
  };
  assert.equal(verdictOf(done(made), ours), "different");
});

test("a copy that names what is not there is not whole, even if skopeo's is the same", async () => {
  const blobs = new Map([...IMAGE.blobs].slice(1));
  assert.equal(faultIn(IMAGE, IMAGE), undefined);
  assert.match(faultIn({ ...IMAGE, blobs }, IMAGE) ?? "", /is missing/);
  const made = { sample: { ...IMAGE, blobs } };
  assert.equal(verdictOf(done(made), done(made)), "different");
});
