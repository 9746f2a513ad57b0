// What refers to an image is found at the registry that it was put to, whichever way the registry knows, and whoever writes besides.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Destination, Semaphore } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Digest } from "../../src/image/digest.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { EMPTY_CONFIG, makeArtifact, SBOM } from "../support/artifacts.ts";
import { makeImage, type TestImage } from "../support/images.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { never, openDestination, openSource, registriesFor, streamOf } from "./docker-setup.ts";

const image = makeImage();
const TAG = image.digest.replace(":", "-");

async function open(
  t: TestContext,
  registry: TestRegistry,
  exclusive?: (name: string) => Semaphore,
) {
  return openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
    ...(exclusive !== undefined && { exclusive }),
  });
}

async function attach(destination: Destination, artifact: TestImage): Promise<void> {
  for (const blob of [...artifact.layers, artifact.config])
    await destination.putBlob(streamOf(artifact, blob), never);
  const { manifest, digest } = artifact;
  const referrer = { mediaType: manifest.mediaType, digest, size: manifest.bytes.length };
  await destination.putReferrer(manifest, referrer, image.digest, never);
  await destination.listReferrers?.(never);
}

/** The entries under the fallback tag. */
const listed = (registry: TestRegistry): readonly Record<string, unknown>[] =>
  JSON.parse(registry.manifest("a", TAG)?.bytes.toString() ?? `{"manifests":[]}`).manifests;

async function found(t: TestContext, registry: TestRegistry): Promise<readonly Digest[]> {
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  const referrers = await source.getReferrers(image.digest, never);
  return referrers.map(({ digest }) => digest).toSorted();
}

const indexOf = (...entries: readonly object[]): RawManifest => ({
  bytes: Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }),
  ),
  mediaType: OCI_INDEX,
});

test("where the registry lists referrers, no tag is written for them", async (t) => {
  await using registry = await startRegistry();
  await using destination = await open(t, registry);
  const artifact = makeArtifact(image);
  await attach(destination, artifact);
  assert.deepEqual(await found(t, registry), [artifact.digest]);
  assert.deepEqual(registry.content.tags("a"), []);
});

const WITHOUT: readonly Quirk[] = [
  "no-referrers",
  "subject-without-referrers",
  "referrers-elsewhere",
];
for (const quirk of WITHOUT)
  test(`where it does not, they are listed under the fallback tag: ${quirk}`, async (t) => {
    await using registry = await startRegistry({ quirks: [quirk] });
    await using destination = await open(t, registry);
    const artifact = makeArtifact(image, { annotations: { a: "b" } });
    const typeless = makeArtifact(image, { artifactType: "", seed: "typeless" });
    await attach(destination, artifact);
    await attach(destination, typeless);
    assert.deepEqual(await found(t, registry), [artifact.digest, typeless.digest].toSorted());
    const size = artifact.manifest.bytes.length;
    assert.deepEqual(listed(registry)[0], {
      mediaType: OCI_MANIFEST,
      digest: artifact.digest,
      size,
      artifactType: SBOM,
      annotations: { a: "b" },
    });
    assert.equal(listed(registry)[1]?.["artifactType"], EMPTY_CONFIG);
  });

test("a list that is there is added to, with all that is in it", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  const old = makeArtifact(image, { seed: "old" });
  registry.put("a", old.digest, old);
  const entry = {
    mediaType: OCI_MANIFEST,
    digest: old.digest,
    size: old.manifest.bytes.length,
    "x-unknown": [1, { two: 3 }],
  };
  registry.content.putManifest("a", TAG, indexOf(entry));
  await using destination = await open(t, registry);
  await attach(destination, makeArtifact(image));
  assert.equal(listed(registry).length, 2);
  assert.deepEqual(listed(registry)[0], entry);
});

test("what is listed already is not listed twice, nor is the list written again", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  for (let copy = 0; copy < 2; copy++) {
    await using destination = await open(t, registry);
    await attach(destination, makeArtifact(image));
  }
  assert.equal(listed(registry).length, 1);
  const puts = registry.requests.filter(
    ({ method, path }) => method === "PUT" && path.includes(TAG),
  );
  assert.equal(puts.length, 1);
});

test("an image under the fallback tag is left alone", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  const other = makeImage({ seed: "other" });
  registry.put("a", TAG, other);
  await using destination = await open(t, registry);
  const refused = { code: "tag_exists", message: new RegExp(TAG) };
  await assert.rejects(attach(destination, makeArtifact(image)), refused);
  assert.equal(registry.manifest("a", TAG)?.digest, other.digest);
});

test("a list under the fallback tag that cannot be read is left alone", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  const headers = { "Content-Type": OCI_INDEX };
  registry.fail("GET manifests", { status: 200, headers, body: `{"manifests":[{}]}` });
  await using destination = await open(t, registry);
  await assert.rejects(attach(destination, makeArtifact(image)), { code: "tag_exists" });
  assert.equal(registry.manifest("a", TAG), undefined);
});

test("a list under the fallback tag that may not be looked at is left alone", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers", "push-only"] });
  const earlier = makeArtifact(image, { seed: "earlier" });
  registry.put("a", earlier.digest, earlier);
  const { bytes, mediaType } = earlier.manifest;
  const old = indexOf({ mediaType, digest: earlier.digest, size: bytes.length });
  registry.content.putManifest("a", TAG, old);
  await using destination = await open(t, registry);
  await assert.rejects(attach(destination, makeArtifact(image)), {
    code: "destination_unauthorized",
    message: new RegExp(`the tag \`${TAG}\` exists, .*a credential that may pull`),
  });
  assert.deepEqual(registry.manifest("a", TAG)?.bytes, old.bytes);
});

test("where what is not there is hidden, a list is begun", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers", "hides-missing"] });
  await using destination = await open(t, registry);
  await attach(destination, makeArtifact(image));
  assert.equal(listed(registry).length, 1);
});

/** Lets an outsider put an index under the fallback tag right after one of ours was put there. */
function overwrite(registry: TestRegistry, outsider: RawManifest, times: number): void {
  const put = registry.content.putManifest.bind(registry.content);
  let left = times;
  registry.content.putManifest = (repository, ref, manifest) => {
    const digest = put(repository, ref, manifest);
    if (ref === TAG && left-- > 0) put(repository, ref, outsider);
    return digest;
  };
}

test("what an outsider overwrites is listed again, besides what the outsider has listed", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  await using destination = await open(t, registry);
  const [first, second, foreign] = ["first", "second", "foreign"].map((seed) =>
    makeArtifact(image, { seed }),
  ) as [TestImage, TestImage, TestImage];
  await attach(destination, first);
  registry.put("a", foreign.digest, foreign);
  const { digest, manifest } = foreign;
  const entry = { mediaType: OCI_MANIFEST, digest, size: manifest.bytes.length };
  overwrite(registry, indexOf(entry), 3);
  await attach(destination, second);
  const all = [first, second, foreign].map((artifact) => artifact.digest);
  assert.deepEqual(await found(t, registry), all.toSorted());
});

test("a list that is overwritten for ever fails the copy", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  await using destination = await open(t, registry);
  overwrite(registry, indexOf(), Infinity);
  await assert.rejects(attach(destination, makeArtifact(image)), { code: "registry_unavailable" });
});

/** Fifty writers at once, as jobs of a cluster are, of an artifact each. Returns how many are listed, and how many writers failed. */
async function fifty(t: TestContext, exclusive: (name: string) => Semaphore) {
  await using registry = await startRegistry({ quirks: ["no-referrers"] });
  await using writers = new AsyncDisposableStack();
  const written = Array.from({ length: 50 }, async (_, i) => {
    const destination = writers.use(await open(t, registry, exclusive));
    await attach(destination, makeArtifact(image, { seed: `${i}` }));
  });
  const outcomes = await Promise.allSettled(written);
  const failed = outcomes.filter(({ status }) => status === "rejected").length;
  return { listed: (await found(t, registry)).length, failed };
}

test("fifty writers of one list lose nothing", async (t) => {
  const locks = new Map<string, Semaphore>();
  const exclusive = (name: string) => locks.getOrInsertComputed(name, () => new LocalSemaphore(1));
  assert.deepEqual(await fifty(t, exclusive), { listed: 50, failed: 0 });
  assert.equal(locks.size, 1);
});

test("without the lock they would: the control", async (t) => {
  const { listed, failed } = await fifty(t, () => new LocalSemaphore(1));
  assert.ok(listed < 50 && failed > 0, `${listed} listed, ${failed} failed`);
});
