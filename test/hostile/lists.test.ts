// Lists that name lists, themselves, or the same over and over again (reliability T23).

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import { makeImage, makeList } from "../support/images.ts";
import { useBench } from "./bench.ts";
import { honest, rawOf, type HostileImage } from "./sources.ts";

const bench = useBench();
const image = makeImage();
const platform = { os: "linux", architecture: "amd64" };
const all = { options: { imageListSelection: "all" } } as const;

const listOf = (
  ...entries: readonly { readonly digest: string; readonly of: RawManifest }[]
): RawManifest =>
  rawOf(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: entries.map(({ digest, of }) => ({
      mediaType: of.mediaType,
      digest,
      size: of.bytes.length,
      platform,
    })),
  });
const entry = (of: RawManifest) => ({ digest: digestOf(of.bytes), of });

/** Lists in lists, so many deep, around an honest image. */
function nested(depth: number): HostileImage {
  const base = honest(image);
  const manifests = new Map(base.manifests);
  let top = image.manifest;
  for (let i = 0; i < depth; i++) {
    top = listOf(entry(top));
    manifests.set(digestOf(top.bytes), top);
  }
  return { ...base, top, manifests };
}

for (const depth of [2, 3, 5, 50])
  test(`lists in lists are refused, ${depth} deep`, async () => {
    const expected = { code: "manifest_invalid", words: /list names another list/ } as const;
    for (const given of [{}, all]) await bench().assertRefusedFrom(nested(depth), expected, given);
  });

test("one list is none in another, and is copied", async () => {
  const source = await bench().place("docker", nested(1));
  await bench().copy(source, bench().destination("oci, fresh"), all);
});

test("a list that names itself can only do so by a lie, which is found", async () => {
  const fake = `sha256:${"a".repeat(64)}`;
  const placeholder = rawOf(OCI_INDEX, Buffer.alloc(image.manifest.bytes.length));
  const itself = listOf({ digest: fake, of: placeholder });
  const top = listOf({ digest: fake, of: itself });
  const hostile = { ...honest(image), top, manifests: new Map([[fake, top]]) };
  for (const given of [{}, all])
    await bench().assertRefusedFrom(hostile, { code: "digest_mismatch" }, given);
});

test("two lists that name each other are found out at the first step", async () => {
  const [a, b] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}`) as [string, string];
  const sized = rawOf(OCI_INDEX, Buffer.alloc(300));
  const [first, second] = [listOf({ digest: b, of: sized }), listOf({ digest: a, of: sized })];
  const manifests = new Map([
    [a, first],
    [b, second],
  ]);
  const asked = bench().liar.requests.length;
  const hostile = { ...honest(image), top: first, manifests };
  await bench().assertRefusedFrom(hostile, { code: "digest_mismatch" }, all);
  const reads = bench()
    .liar.requests.slice(asked)
    .filter(({ kind }) => kind === "manifests");
  assert.equal(reads.length, 2);
});

test("an image that a list names a thousand times is read and written once", async () => {
  const top = listOf(...Array.from({ length: 1_024 }, () => entry(image.manifest)));
  const source = await bench().place("docker", { ...honest(image), top });
  const before = [bench().liar.requests.length, bench().registry.requests.length] as const;
  const { digest } = await bench().copy(source, bench().destination("docker, fresh"), all);
  assert.equal(digest, digestOf(top.bytes));
  const seen = [
    ...bench().liar.requests.slice(before[0]),
    ...bench().registry.requests.slice(before[1]),
  ];
  const count = (what: string) =>
    seen.filter(({ method, kind }) => `${method} ${kind}` === what).length;
  assert.equal(count("GET blobs"), image.blobs.size);
  // The list and the image.
  assert.equal(count("GET manifests"), 2);
  assert.equal(count("PUT manifests"), 2);
});

test("of ten images that share ten layers, each layer is read once", async () => {
  const images = Array.from({ length: 10 }, (_, i) =>
    makeImage({ layers: 10, seed: "diamond", config: { author: `${i}` } }),
  );
  const list = makeList(images);
  const source = await bench().place("docker", honest(list));
  const asked = bench().liar.requests.length;
  await bench().copy(source, bench().destination("oci, fresh"), all);
  const reads = bench()
    .liar.requests.slice(asked)
    .filter(({ kind }) => kind === "blobs");
  assert.equal(reads.length, new Set(images.flatMap(({ blobs }) => [...blobs.keys()])).size);
});
