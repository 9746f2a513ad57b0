// Each registry as it is known: images in, again, across and out, and everything that it does otherwise really met on the way.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { copyImage } from "../../src/copy/copy.ts";
import { OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { QUIRKS, quirksOf, type Quirks } from "../../src/transport/docker/quirks.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage, makeList } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";
import { credentialsFor, PROFILES, type Profile } from "../support/registry-profiles.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { never, openDestination, openSource, registriesFor } from "./docker-setup.ts";

const image = makeImage({ layers: [6 * 1024 * 1024, 1_000, 2_000] });
const list = makeList([
  image,
  makeImage({ layers: [1_000], seed: "arm", platform: { os: "linux", architecture: "arm64" } }),
]);
const sbom = makeArtifact(list);

/** Blobs' bytes that a registry was sent. */
const received = ({ requests, elsewhere }: TestRegistry): number =>
  [...requests, ...elsewhere]
    .filter(({ kind }) => kind === "uploads")
    .reduce((sum, { bytes }) => sum + bytes, 0);

async function goThrough(
  t: TestContext,
  profile: Profile,
  known: Quirks | undefined,
): Promise<void> {
  const { quirks, auth, moments = {} } = profile;
  await using plain = await startRegistry();
  await using registry = await startRegistry({ quirks, ...(auth !== undefined && { auth }) });
  const more = known === undefined ? {} : { quirks: () => known };
  const registries = new Registries(LOOPBACK_TOO, { retryMs: 1, breakMs: 1 }, {}, undefined, more);
  t.after(() => registries[Symbol.asyncDispose]());
  const credentials = credentialsFor(profile);
  const access = (text: string) => ({
    registries,
    ...(text.startsWith(registry.host) && credentials && { credentials }),
  });
  const copy = async (from: string, to: string) => {
    await using source = await openSource(from, access(from));
    await using destination = await openDestination(to, access(to));
    await copyImage(
      { source, destination, platform: {}, host: image.platform, compression: {}, cache: NO_CACHE },
      { ...DEFAULTS, imageListSelection: "all", referrers: true },
      { blobs: new LocalSemaphore(4), report: () => {}, signal: never },
    );
  };
  plain.put("a", "v1", list);
  plain.put("a", "sbom", sbom);
  for (const [what, fault] of Object.entries(moments)) registry.fail(what as never, fault);
  await copy(`${plain.host}/a:v1`, `${registry.host}/b:v1`);
  assert.deepEqual(registry.manifest("b", "v1")?.bytes, list.manifest.bytes);
  const first = received(registry);
  await copy(`${plain.host}/a:v1`, `${registry.host}/b:v2`);
  assert.equal(received(registry), first, "what is there is not sent again");
  await copy(`${registry.host}/b:v1`, `${registry.host}/c:v1`);
  assert.deepEqual(registry.manifest("c", "v1")?.bytes, list.manifest.bytes);
  await copy(`${registry.host}/b:v1`, `${plain.host}/out:v1`);
  for (const [digest, bytes] of image.blobs) assert.deepEqual(plain.blob("out", digest), bytes);
  assert.ok(plain.manifest("out", sbom.digest) !== undefined, "what refers to it has come along");
  assert.deepEqual(
    registry.elsewhere.filter(({ headers }) => headers.authorization !== undefined),
    [],
  );
  assert.equal(registry.openUploads, 0, "no upload was left behind");
  const unmet = quirks.filter((quirk) => (registry.quirks.met.get(quirk) ?? 0) === 0);
  assert.deepEqual(unmet, [], "what the profile claims was not met");
  for (const [what, fault] of Object.entries(moments)) {
    const [method, kind] = what.split(" ");
    const met = [...registry.requests].filter(
      (seen) => seen.method === method && seen.kind === kind && seen.status === fault.status,
    );
    assert.ok(met.length > 0, `${what} was never ${fault.status}`);
  }
}

for (const profile of PROFILES)
  test(`${profile.registry}: images go in, are found, go across and come out, without it being known`, (t) =>
    goThrough(t, profile, undefined));

test("with what is known of GitLab no token is asked for two repositories at once", async (t) => {
  const profile = PROFILES.find(({ registry }) => registry === "GitLab") as Profile;
  const known = quirksOf("registry.gitlab.com:443");
  assert.equal(known.oneScopePerToken, true);
  // It is not met any more.
  await assert.rejects(goThrough(t, profile, known), /one-scope/);
});

test("an OCI image that does not say its own type is taken by ECR as another type", async (t) => {
  await using plain = await startRegistry();
  await using registry = await startRegistry({ quirks: ["wants-media-type"] });
  plain.put("a", "v1", image);
  const { mediaType, ...silent } = JSON.parse(image.manifest.bytes.toString()) as Record<
    string,
    unknown
  >;
  assert.equal(mediaType, OCI_MANIFEST);
  plain.content.putManifest("a", "silent", {
    bytes: Buffer.from(JSON.stringify(silent)),
    mediaType: OCI_MANIFEST,
  });
  const registries = registriesFor(t);
  await using source = await openSource(`${plain.host}/a:silent`, { registries });
  await using destination = await openDestination(`${registry.host}/b:v1`, { registries });
  await copyImage(
    { source, destination, platform: {}, host: image.platform, compression: {}, cache: NO_CACHE },
    DEFAULTS,
    { blobs: new LocalSemaphore(4), report: () => {}, signal: never },
  );
  assert.equal(registry.manifest("b", "v1")?.mediaType, SCHEMA2);
  assert.equal(registry.quirks.met.get("wants-media-type"), 1);
});

test("rows match hosts and what is below a wildcard, with any port, and nothing else", () => {
  assert.deepEqual(quirksOf("Quay.IO:443"), quirksOf("quay.io"));
  assert.ok(quirksOf("quay.io").uploads.pieceBytes !== undefined);
  for (const other of ["quay.io.example.com", "notquay.io", "localhost:5000"])
    assert.deepEqual(quirksOf(other), { uploads: {}, oneScopePerToken: false });
});

test("each row says where it is known from, and each profile is in the documents", async () => {
  const document = await readFile(join(import.meta.dirname, "../../docs/registries.md"), "utf8");
  for (const { registry, hosts, sources } of QUIRKS) {
    assert.ok(hosts.length > 0 && sources.length > 0, registry);
    assert.ok(document.includes(`| ${registry} `), registry);
  }
  for (const { registry } of PROFILES) assert.ok(document.includes(`| ${registry} `), registry);
});
