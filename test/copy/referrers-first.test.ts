// With `referrers`, an image gets its name last: whoever can pull it by its tag finds its signatures, and a copy that dies before that is
// one that has not happened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeArtifact } from "../support/artifacts.ts";
import { copy } from "../support/copying.ts";
import { makeImage, makeList, type TestImage, type TestList } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";

const images = ["amd64", "arm64"].map((architecture) =>
  makeImage({ platform: { os: "linux", architecture }, seed: architecture }),
);
const list = makeList(images);

/** The image, or list, with an artifact for each of these. */
function sourceOf(top: TestImage | TestList, subjects: readonly (TestImage | TestList)[]) {
  const source = new MemorySource(top);
  const artifacts = subjects.map((subject) => {
    const artifact = makeArtifact(subject);
    const { manifest, digest } = artifact;
    source.manifests.set(digest, manifest);
    for (const [name, bytes] of artifact.blobs) source.blobs.set(name, bytes);
    source.referrers.set(subject.digest, [
      { mediaType: manifest.mediaType, digest, size: manifest.bytes.length },
    ]);
    return artifact;
  });
  return { source, artifacts };
}

const ROWS: readonly (readonly [
  string,
  TestImage | TestList,
  readonly (TestImage | TestList)[],
])[] = [
  ["an image", images[0] as TestImage, images.slice(0, 1)],
  ["a list, after what refers to its images, too,", list, [...images, list]],
];
for (const [what, top, subjects] of ROWS) {
  test(`${what} is named after what refers to it`, async () => {
    const { source, artifacts } = sourceOf(top, subjects);
    const destination = new MemoryDestination({ traits: { referrers: true } });
    const { result } = await copy(source, destination, {
      imageListSelection: "all",
      referrers: true,
    });
    assert.equal(result.referrers, artifacts.length);
    const manifests = destination.log.filter((line) => !line.startsWith("blob"));
    assert.deepEqual(manifests.slice(-2), ["manifest top", "commit"]);
    const names = new Set(manifests);
    for (const [i, { digest }] of artifacts.entries())
      assert.ok(names.has(`referrer ${digest} of ${subjects[i]?.digest}`));
    // Registries may want the subject first.
    const own = manifests.indexOf(`manifest ${top.digest}`);
    const referrer = manifests.findIndex((line) => line.endsWith(`of ${top.digest}`));
    assert.ok(own >= 0 && own < referrer);
  });

  test(`${what} is not named where one of them cannot be copied`, async () => {
    const { source } = sourceOf(top, subjects);
    const destination = new MemoryDestination({ traits: { referrers: true } });
    destination.putReferrer = () => Promise.reject(new Error("refused"));
    const options = { imageListSelection: "all", referrers: true } as const;
    await assert.rejects(copy(source, destination, options), /refused/);
    assert.equal(destination.manifests.has("top"), false);
  });
}

test("an image that is there already gets what refers to it", async () => {
  const [image] = images as [TestImage];
  const { source } = sourceOf(image, [image]);
  const destination = new MemoryDestination({ traits: { referrers: true } });
  const options = { optimizeDestinationImageAlreadyExists: true } as const;
  await copy(source, destination, options);
  const { result } = await copy(source, destination, { ...options, referrers: true });
  assert.equal(result.skipped, false);
  assert.equal(result.referrers, 1);
  assert.deepEqual(destination.log.slice(-2), ["manifest top", "commit"]);
});
