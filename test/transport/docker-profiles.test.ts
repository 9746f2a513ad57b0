// Each registry as it is known: images in, again, across and out, and everything that it does otherwise really met on the way.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";
import { QUIRKS, quirksOf, type Quirks } from "../../src/transport/docker/quirks.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage, makeList } from "../support/images.ts";
import { credentialsFor, PROFILES, type Profile } from "../support/registry-profiles.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { copyBetween, registriesFor } from "./docker-setup.ts";

const MIB = 1024 * 1024;
const image = makeImage({ layers: [9 * MIB, 1_000, 2_000] });
const list = makeList([
  image,
  makeImage({ layers: [1_000], seed: "arm", platform: { os: "linux", architecture: "arm64" } }),
]);
const artifacts = [makeArtifact(list), makeArtifact(list, { seed: "another" })];

/** Blobs' bytes that a registry was sent. */
const received = ({ requests, elsewhere }: TestRegistry): number =>
  [...requests, ...elsewhere]
    .filter(({ kind }) => kind === "uploads")
    .reduce((sum, { bytes }) => sum + bytes, 0);

/** How many of each kind of request. */
function counted({ requests, elsewhere }: TestRegistry): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  for (const { method, kind } of requests) count(`${method} ${kind}`);
  for (const { method, kind } of elsewhere) count(`${method} ${kind} elsewhere`);
  return counts;
}

/** What the first has more than the second, or less. */
function beyond(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): Readonly<Record<string, number>> {
  const kinds = [...new Set([...one.keys(), ...other.keys()])].toSorted();
  const differences = kinds.map(
    (kind) => [kind, (one.get(kind) ?? 0) - (other.get(kind) ?? 0)] as const,
  );
  return Object.fromEntries(differences.filter(([, more]) => more !== 0));
}

/** Copies into it, to a second tag, to the first again, across it and out of it; returns what it was asked. */
async function goThrough(t: TestContext, profile: Profile, known?: Quirks): Promise<TestRegistry> {
  const { quirks, avoided = [], moments = [], auth, limits = {} } = profile;
  const plain = await startRegistry();
  const registry = await startRegistry({
    quirks: [...quirks, ...avoided],
    limits,
    ...(auth !== undefined && { auth }),
  });
  const more = known === undefined ? {} : { quirks: () => known };
  const registries = new Registries(LOOPBACK_TOO, { retryMs: 1, breakMs: 1 }, {}, undefined, more);
  t.after(async () => {
    for (const each of [registries, plain, registry]) await each[Symbol.asyncDispose]();
  });
  const credentials = credentialsFor(profile);
  const access = (text: string) => ({
    registries,
    ...(text.startsWith(registry.host) && credentials && { credentials }),
  });
  const options = { imageListSelection: "all", referrers: true } as const;
  const copy = (from: string, to: string) => copyBetween(from, to, access, options);
  plain.put("a", "v1", list);
  for (const each of artifacts) plain.put("a", each.digest, each);
  for (const repository of ["b", "c"]) registry.content.makeRepository(repository);
  for (const [what, fault] of moments) registry.fail(what, fault);
  await copy(`${plain.host}/a:v1`, `${registry.host}/b:v1`);
  assert.deepEqual(registry.manifest("b", "v1")?.bytes, list.manifest.bytes);
  const first = received(registry);
  await copy(`${plain.host}/a:v1`, `${registry.host}/b:v2`);
  await copy(`${plain.host}/a:v1`, `${registry.host}/b:v1`);
  assert.equal(received(registry), first, "what is there is not sent again");
  await copy(`${registry.host}/b:v1`, `${registry.host}/c:v1`);
  assert.deepEqual(registry.manifest("c", "v1")?.bytes, list.manifest.bytes);
  await copy(`${registry.host}/b:v1`, `${plain.host}/out:v1`);
  for (const [digest, bytes] of image.blobs) assert.deepEqual(plain.blob("out", digest), bytes);
  for (const { digest } of artifacts)
    assert.ok(plain.manifest("out", digest) !== undefined, "what refers to it has come along");
  assert.equal(registry.openUploads, 0, "no upload was left behind");
  return registry;
}

/** What the registry has acted by of what the profile says. */
const metOf = ({ quirks }: TestRegistry, of: readonly Quirk[]): readonly Quirk[] =>
  of.filter((quirk) => quirks.met.has(quirk));

for (const profile of PROFILES)
  test(`${profile.registry}: images go in, are found, go across and come out, without it being known`, async (t) => {
    const { quirks, avoided = [], costs, moments, ...same } = profile;
    const registry = await goThrough(t, profile);
    assert.deepEqual(
      registry.elsewhere.filter(({ headers }) => headers.authorization !== undefined),
      [],
    );
    assert.deepEqual(metOf(registry, quirks), quirks, "what the profile claims was not met");
    assert.deepEqual(metOf(registry, avoided), []);
    assert.deepEqual(registry.faultsAhead, [], "moments that did not come");
    const plain = await goThrough(t, { ...same, quirks: [], costs: {} });
    assert.deepEqual(beyond(counted(registry), counted(plain)), costs);
  });

for (const [name, host, quirk] of [
  ["Google Artifact Registry", "europe-docker.pkg.dev", "no-chunks"],
  ["Artifactory", "example.jfrog.io", "keeps-last-chunk"],
  ["GitLab", "registry.gitlab.com:443", "one-scope"],
  ["Quay", "quay.io", "no-large-bodies"],
] as const)
  test(`what is known of ${name} is not met any more: ${quirk}`, async (t) => {
    const profile = PROFILES.find(({ registry }) => registry === name) as Profile;
    assert.ok(profile.quirks.includes(quirk));
    const { uploads, oneScopePerToken } = quirksOf(host);
    // As the profile's limit is scaled.
    const scaled = uploads.above === undefined ? uploads : { pieceBytes: 5 * MIB, above: 8 * MIB };
    const registry = await goThrough(t, profile, { uploads: scaled, oneScopePerToken });
    assert.deepEqual(metOf(registry, [quirk]), []);
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
  await copyBetween(`${plain.host}/a:silent`, `${registry.host}/b:v1`, () => ({ registries }));
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
