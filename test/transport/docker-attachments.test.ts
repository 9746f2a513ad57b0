// cosign's tags at a registry: what is signed there stays signed, and the copy's signatures are added.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Destination, Semaphore } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Digest } from "../../src/image/digest.ts";
import { parseOci } from "../../src/image/manifest/oci.ts";
import { makeArtifact, makeSignatures, signatureTag } from "../support/artifacts.ts";
import { makeImage, makeList, type TestImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { never, openDestination, registriesFor, streamOf } from "./docker-setup.ts";

const image = makeImage();
const TAG = signatureTag(image.digest);
const [mine, yours, other] = [
  { payload: `{"by":"me"}`, signature: "mine" },
  // The same payload: cosign's says only which image is signed.
  { payload: `{"by":"me"}`, signature: "yours" },
  { payload: `{"by":"other"}`, signature: "other" },
] as const;

function open(t: TestContext, registry: TestRegistry, exclusive?: (name: string) => Semaphore) {
  return openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
    ...(exclusive !== undefined && { exclusive }),
  });
}

async function attach(destination: Destination, signed: TestImage, tag = TAG): Promise<void> {
  for (const blob of [...signed.layers, signed.config])
    await destination.putBlob(streamOf(signed, blob), never);
  const { manifest, digest } = signed;
  const referrer = { mediaType: manifest.mediaType, digest, size: manifest.bytes.length, tag };
  await destination.putReferrer(manifest, referrer, image.digest, never);
  await destination.listReferrers?.(never);
}

/** What the tag's image has: its signatures, and the diffIDs of its config. */
function signedBy(registry: TestRegistry, tag = TAG) {
  const manifest = registry.manifest("a", tag);
  assert.ok(manifest, "nothing is under the tag");
  const { config, layers } = parseOci(manifest);
  const bytes = registry.blob("a", config.digest);
  assert.equal(bytes?.length, config.size);
  const document = JSON.parse(bytes?.toString() ?? "") as { rootfs: { diff_ids: Digest[] } };
  assert.deepEqual(
    document.rootfs.diff_ids,
    layers.map(({ digest }) => digest),
  );
  return layers.map(({ annotations }) => annotations?.["dev.cosignproject.cosign/signature"]);
}

test("a first signature is stored as it was", async (t) => {
  await using registry = await startRegistry();
  await using destination = await open(t, registry);
  const signed = makeSignatures([mine]);
  await attach(destination, signed);
  assert.equal(registry.manifest("a", TAG)?.digest, signed.digest);
});

const ROWS = [
  { is: "another signature is added", there: [mine], copied: [other], sum: ["mine", "other"] },
  {
    is: "another signature of the same payload is added",
    there: [mine],
    copied: [yours],
    sum: ["mine", "yours"],
  },
  {
    is: "of several, those that are missing are added",
    there: [other, mine],
    copied: [mine, yours],
    sum: ["other", "mine", "yours"],
  },
] as const;
for (const { is, there, copied, sum } of ROWS)
  test(is, async (t) => {
    await using registry = await startRegistry();
    registry.put("a", TAG, makeSignatures(there));
    await using destination = await open(t, registry);
    await attach(destination, makeSignatures(copied));
    assert.deepEqual(signedBy(registry), sum);
    const { digest } = registry.manifest("a", TAG) ?? {};
    await attach(destination, makeSignatures(copied));
    assert.equal(registry.manifest("a", TAG)?.digest, digest, "the second copy changed something");
  });

test("what has more signatures than the source stays as it is", async (t) => {
  await using registry = await startRegistry();
  const signed = makeSignatures([mine, other]);
  registry.put("a", TAG, signed);
  await using destination = await open(t, registry);
  await attach(destination, makeSignatures([mine]));
  assert.equal(registry.manifest("a", TAG)?.digest, signed.digest);
  assert.ok(!registry.requests.some(({ path, method }) => method === "PUT" && path.includes(TAG)));
});

test("an SBOM is replaced, as cosign does", async (t) => {
  await using registry = await startRegistry();
  const tag = signatureTag(image.digest, "sbom");
  registry.put("a", tag, makeSignatures([mine]));
  await using destination = await open(t, registry);
  const fresh = makeSignatures([other]);
  await attach(destination, fresh, tag);
  assert.equal(registry.manifest("a", tag)?.digest, fresh.digest);
});

for (const [what, there] of [
  ["a list", makeList([image])],
  ["an artifact", makeArtifact(image)],
] as const)
  test(`${what} under cosign's tag is left alone`, async (t) => {
    await using registry = await startRegistry();
    registry.put("a", TAG, there);
    await using destination = await open(t, registry);
    await assert.rejects(attach(destination, makeSignatures([mine])), {
      code: "tag_exists",
      message: new RegExp(TAG),
    });
    assert.equal(registry.manifest("a", TAG)?.digest, there.digest);
  });

test("a config that is damaged at the registry is not built upon", async (t) => {
  await using registry = await startRegistry();
  const signed = makeSignatures([mine]);
  registry.put("a", TAG, signed);
  registry.content.addBlob("a", signed.config.digest, Buffer.alloc(signed.config.size, "x"));
  await using destination = await open(t, registry);
  // The registry believes that it has the config; another image's differs.
  await assert.rejects(attach(destination, makeSignatures([other])), { code: "digest_mismatch" });
});

test("twenty writers of one tag lose no signature", async (t) => {
  await using registry = await startRegistry();
  await using writers = new AsyncDisposableStack();
  const lock = new LocalSemaphore(1);
  const names = Array.from({ length: 20 }, (_, i) => `signature ${i}`);
  await Promise.all(
    names.map(async (signature) => {
      const destination = writers.use(await open(t, registry, () => lock));
      await attach(destination, makeSignatures([{ payload: "{}", signature }]));
    }),
  );
  const signed = signedBy(registry);
  assert.equal(signed.length, names.length);
  assert.deepEqual(new Set(signed), new Set(names));
});
