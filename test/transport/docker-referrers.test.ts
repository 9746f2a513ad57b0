// What refers to an image in a registry: found by the API, by the index under the fallback tag, and by cosign's tags.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import { makeArtifact, makeSignatures, SBOM, signatureTag } from "../support/artifacts.ts";
import { makeImage, makeList, type TestImage } from "../support/images.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../support/registry.ts";
import { never, openSource, registriesFor } from "./docker-setup.ts";

const image = makeImage();
const artifacts = Array.from({ length: 5 }, (_, i) => makeArtifact(image, { seed: `${i}` }));
const signatures = makeSignatures([{ payload: "{}", signature: "MEQC" }]);

/** A registry with the image, and with artifacts that refer to it. */
async function registryWith(
  options: RegistryOptions = {},
  referrers: readonly TestImage[] = artifacts,
): Promise<TestRegistry> {
  const registry = await startRegistry(options);
  registry.put("a", "v1", image);
  for (const artifact of referrers) registry.put("a", artifact.digest, artifact);
  return registry;
}

async function referrersOf(t: TestContext, registry: TestRegistry, digest = image.digest) {
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  return source.getReferrers(digest, never);
}

const digestsOf = (things: readonly { readonly digest: Digest }[]): readonly Digest[] =>
  things.map(({ digest }) => digest).toSorted();

/** Puts an index under the fallback tag. */
function putFallback(
  registry: TestRegistry,
  entries: readonly object[],
  subject = image.digest,
  servedAs = OCI_INDEX,
) {
  // Of another type it can only be called that does not say its own.
  const own = servedAs === OCI_INDEX && { mediaType: OCI_INDEX };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...own, manifests: entries }));
  const manifest = { bytes, mediaType: servedAs };
  registry.content.putManifest("a", subject.replace(":", "-"), manifest);
}

const entryOf = ({ manifest, digest }: TestImage) => ({
  mediaType: manifest.mediaType,
  digest,
  size: manifest.bytes.length,
  artifactType: SBOM,
});

test("the API's list is read to its last page", async (t) => {
  await using registry = await registryWith({ referrersPerPage: 2 });
  const found = await referrersOf(t, registry);
  assert.deepEqual(digestsOf(found), digestsOf(artifacts));
  assert.equal(found[0]?.artifactType, SBOM);
  assert.equal(registry.requests.filter(({ kind }) => kind === "referrers").length, 3);
});

test("tags whose type the registry does not know are what they look like", async (t) => {
  await using registry = await registryWith({ quirks: ["no-referrers"] });
  putFallback(registry, artifacts.map(entryOf), image.digest, "application/json");
  const { mediaType, ...untyped } = JSON.parse(signatures.manifest.bytes.toString());
  const bytes = Buffer.from(JSON.stringify(untyped));
  const tag = signatureTag(image.digest);
  registry.put("a", tag, signatures);
  registry.content.putManifest("a", tag, { bytes, mediaType: "text/plain" });
  const found = await referrersOf(t, registry);
  assert.deepEqual(digestsOf(found), digestsOf([...artifacts, { digest: digestOf(bytes) }]));
  assert.equal(found.find((each) => each.tag === tag)?.mediaType, mediaType);
});

test("an image that nothing refers to has no referrers", async (t) => {
  await using registry = await registryWith({}, []);
  assert.deepEqual(await referrersOf(t, registry), []);
});

for (const quirk of ["no-referrers", "subject-without-referrers", "referrers-elsewhere"] as const)
  test(`the fallback tag is read where the API is missing: ${quirk}`, async (t) => {
    await using registry = await registryWith({ quirks: [quirk] });
    putFallback(registry, [...artifacts, ...artifacts].map(entryOf));
    assert.deepEqual(digestsOf(await referrersOf(t, registry)), digestsOf(artifacts));
  });

test("a page for people is not a list of referrers", async (t) => {
  await using registry = await registryWith();
  putFallback(registry, [entryOf(artifacts[0] as TestImage)]);
  const headers = { "Content-Type": "text/html" };
  registry.fail("GET referrers", { status: 200, headers, body: "<html>" });
  assert.deepEqual(await referrersOf(t, registry), [entryOf(artifacts[0] as TestImage)]);
});

test("a registry without the API is asked for it once", async (t) => {
  await using registry = await registryWith({ quirks: ["no-referrers"] });
  await using source = await openSource(`${registry.host}/a:v1`, { registries: registriesFor(t) });
  for (const { digest } of [image, ...artifacts]) await source.getReferrers(digest, never);
  assert.equal(registry.requests.filter(({ kind }) => kind === "referrers").length, 1);
});

test("a registry that is busy is not one without referrers", async (t) => {
  await using registry = await registryWith();
  registry.fail("GET referrers", { status: 429, headers: { "Retry-After": "60" } });
  await assert.rejects(referrersOf(t, registry), { code: "registry_rate_limited" });
});

test("a registry that refuses to tell is not one without referrers", async (t) => {
  await using registry = await registryWith();
  registry.fail("GET referrers", { status: 403, code: "DENIED" });
  await assert.rejects(referrersOf(t, registry), { code: "source_unauthorized" });
});

test("a registry that takes the fallback tag for the digest has no referrers of its list", async (t) => {
  const list = makeList([image]);
  await using registry = await startRegistry({ quirks: ["no-referrers", "dash-is-digest"] });
  registry.put("a", "v1", list);
  assert.deepEqual(await referrersOf(t, registry, list.digest), []);
  // The control: an index of somebody else's making is one of referrers.
  putFallback(registry, [entryOf(image)], list.digest);
  assert.deepEqual(digestsOf(await referrersOf(t, registry, list.digest)), [image.digest]);
});

test("what is under the fallback tag and is no index tells of no referrers", async (t) => {
  await using registry = await registryWith({ quirks: ["no-referrers"] });
  registry.put("a", image.digest.replace(":", "-"), makeImage({ seed: "other" }));
  assert.deepEqual(await referrersOf(t, registry), []);
});

test("cosign's tags are found, and keep their names", async (t) => {
  for (const quirks of [[], ["no-referrers"]] as const) {
    await using registry = await registryWith({ quirks });
    const tags = ["sig", "att", "sbom"].map((kind) => signatureTag(image.digest, kind));
    for (const tag of tags) registry.put("a", tag, signatures);
    const tagged = (await referrersOf(t, registry)).filter(({ tag }) => tag !== undefined);
    assert.deepEqual(
      tagged,
      tags.map((tag) => ({
        mediaType: signatures.manifest.mediaType,
        digest: signatures.digest,
        size: signatures.manifest.bytes.length,
        tag,
      })),
    );
  }
});

test("cosign's tags are not asked for where they would be too long", async (t) => {
  await using registry = await registryWith();
  const digest = digestOf(image.manifest.bytes, "sha512");
  assert.deepEqual(await referrersOf(t, registry, digest), []);
  assert.equal(registry.requests.filter(({ path }) => path.includes(".sig")).length, 0);
});

test("the fallback tag of a long digest is cut as the specification says", async (t) => {
  await using registry = await registryWith({ quirks: ["no-referrers"] });
  const digest = digestOf(image.manifest.bytes, "sha512");
  const tag = digest.replace(":", "-").slice(0, "sha512-".length + 64) as Digest;
  putFallback(registry, [entryOf(artifacts[0] as TestImage)], tag);
  assert.deepEqual(await referrersOf(t, registry, digest), [entryOf(artifacts[0] as TestImage)]);
});

test("a next page at another host is not asked for", async (t) => {
  await using registry = await registryWith();
  registry.fail("GET referrers", {
    status: 200,
    headers: {
      "Content-Type": OCI_INDEX,
      Link: `<${registry.elsewhereUrl}/v2/a/referrers/more>; rel="next"`,
    },
    body: JSON.stringify({ schemaVersion: 2, manifests: [] }),
  });
  await assert.rejects(referrersOf(t, registry), {
    code: "registry_unavailable",
    message: /another host/,
  });
  assert.equal(registry.elsewhere.length, 0);
});

test("pages that never end are read a thousand times", async (t) => {
  await using registry = await registryWith();
  registry.fail("GET referrers", {
    status: 200,
    headers: { "Content-Type": OCI_INDEX, Link: `</v2/a/referrers/${image.digest}>; rel=next` },
    body: JSON.stringify({ schemaVersion: 2, manifests: [] }),
  });
  await assert.rejects(referrersOf(t, registry), { code: "manifest_invalid" });
  assert.equal(registry.requests.filter(({ kind }) => kind === "referrers").length, 1_000);
});

const LIES: readonly (readonly [string, string])[] = [
  ["of a million entries", `{"manifests":[${Array(1_000_000).fill("{}").join(",")}]}`],
  ["of more entries than can be copied", JSON.stringify({ manifests: Array(1_100).fill({}) })],
  ["without digests", JSON.stringify({ manifests: [{ mediaType: "a", size: 1 }] })],
  ["that is nested deeply", `${"[".repeat(10_000)}${"]".repeat(10_000)}`],
  ["that is no JSON", "<html>"],
  ["that is an image, too", JSON.stringify({ manifests: [], layers: [], config: {} })],
];
for (const [what, body] of LIES)
  test(`a list ${what} is refused`, async (t) => {
    await using registry = await registryWith();
    registry.fail("GET referrers", {
      status: 200,
      headers: { "Content-Type": OCI_INDEX },
      body,
    });
    await assert.rejects(referrersOf(t, registry), { code: "manifest_invalid" });
  });
