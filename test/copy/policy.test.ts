// When the policy is asked, about what, and what its "no" means (semantics 1.2; 1.3, step 2).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policy } from "../../src/copy/interfaces.ts";
import { CopyError } from "../../src/errors.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { copy, plan } from "../support/copying.ts";
import { failure } from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";
import { never } from "../support/bytes.ts";

const amd64 = makeImage({ platform: { os: "linux", architecture: "amd64" } });
const arm64 = makeImage({ platform: { os: "linux", architecture: "arm64" } });

const rejects: Policy = {
  check: async () => {
    throw new CopyError("policy_rejected", "the source image is rejected: a test");
  },
};

/** Accepts all, and keeps of what it was asked the digest and how many signatures there are. */
function recording() {
  const asked: { readonly digest: string; readonly signatures: number }[] = [];
  const policy: Policy = {
    check: async ({ manifest, signatures }) => {
      asked.push({ digest: manifestDigest(manifest), signatures: (await signatures()).length });
    },
  };
  return { policy, asked };
}

const copyWith = (source: MemorySource, policy: Policy, options = {}, traits = {}) => {
  const destination = new MemoryDestination({ traits });
  const done = copy(source, destination, options, 100, never, { policy });
  return { destination, done };
};

test("an image that the policy rejects leaves nothing at the destination", async () => {
  const { destination, done } = copyWith(new MemorySource(makeImage()), rejects);
  await assert.rejects(done, failure("policy_rejected", /a test/));
  assert.deepEqual(destination.log, []);
});

test("a plan of an image that the policy rejects is refused", async () => {
  await assert.rejects(
    plan(new MemorySource(makeImage()), new MemoryDestination(), {}, { policy: rejects }),
    failure("policy_rejected"),
  );
});

test("the policy is asked before the manifest is parsed", async () => {
  const { manifest, ...image } = makeImage();
  const broken = { ...image, manifest: { ...manifest, bytes: Buffer.from("{}") } };
  await assert.rejects(
    copyWith(new MemorySource(broken), rejects).done,
    failure("policy_rejected"),
  );
  await assert.rejects(
    copyWith(new MemorySource(broken), recording().policy).done,
    failure("manifest_invalid"),
  );
});

test("the policy is asked for each image of a list that is copied, and not for the list", async () => {
  const list = makeList([amd64, arm64]);
  const all = recording();
  await copyWith(new MemorySource(list), all.policy, { imageListSelection: "all" }).done;
  assert.deepEqual(
    all.asked.map(({ digest }) => digest).toSorted(),
    list.images.map(({ digest }) => digest).toSorted(),
  );
  const one = recording();
  await copyWith(new MemorySource(list), one.policy).done;
  assert.equal(one.asked.length, 1);
  assert.ok(list.images.some(({ digest }) => digest === one.asked[0]?.digest));
});

test("an image of a list that the policy rejects keeps the list from being written", async () => {
  const list = makeList([amd64, arm64]);
  const last = list.images.at(-1)?.digest;
  const policy: Policy = {
    check: async (image, signal) => {
      if (manifestDigest(image.manifest) === last) await rejects.check(image, signal);
    },
  };
  const { destination, done } = copyWith(new MemorySource(list), policy, {
    imageListSelection: "all",
  });
  await assert.rejects(done, failure("policy_rejected"));
  assert.equal(destination.manifests.has("top"), false);
});

test("the policy sees the signatures that are not to be copied", async () => {
  const source = new MemorySource(makeImage());
  source.signatures.push({ bytes: Buffer.from("one") });
  const { policy, asked } = recording();
  await copyWith(source, policy, { removeSignatures: true }).done;
  assert.deepEqual(
    asked.map(({ signatures }) => signatures),
    [1],
  );
});

test("the policy is not asked for what refers to an image", async () => {
  const image = makeImage();
  const artifact = makeArtifact(image);
  const source = new MemorySource(image);
  source.referrers.set(image.digest, [
    {
      mediaType: artifact.manifest.mediaType,
      digest: artifact.digest,
      size: artifact.manifest.bytes.length,
    },
  ]);
  source.manifests.set(artifact.digest, artifact.manifest);
  for (const [digest, bytes] of artifact.blobs) source.blobs.set(digest, bytes);
  const { policy, asked } = recording();
  const { done } = copyWith(source, policy, { referrers: true }, { referrers: true });
  assert.equal((await done).result.referrers, 1);
  assert.deepEqual(
    asked.map(({ digest }) => digest),
    [image.digest],
  );
});
