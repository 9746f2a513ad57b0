// What refers to an image of an OCI layout: kept as oras keeps it, and cosign's under the name that is its tag.

import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Destination, Referrer } from "../../src/copy/interfaces.ts";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import { parseOci } from "../../src/image/manifest/oci.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { makeArtifact, makeSignatures, SBOM, signatureTag } from "../support/artifacts.ts";
import {
  accessTo,
  makeDataDir,
  makeExclusive,
  never,
  openDestination,
  openSource,
  putImage,
} from "../support/folders.ts";
import { makeImage, type TestImage } from "../support/images.ts";

const NAME = "org.opencontainers.image.ref.name";
const image = makeImage();
const sbom = makeArtifact(image, { annotations: { a: "b" } });
const TAG = signatureTag(image.digest);

async function attach(destination: Destination, artifact: TestImage, tag?: string): Promise<void> {
  await putImage(destination, artifact, artifact.digest);
  const { manifest, digest } = artifact;
  const size = manifest.bytes.length;
  const referrer = { mediaType: OCI_MANIFEST, digest, size, ...(tag !== undefined && { tag }) };
  await destination.putReferrer(manifest, referrer, image.digest, never);
}

/** Writes the image with artifacts that refer to it, and signatures under cosign's tag. */
async function write(
  dataDir: string,
  artifacts: readonly TestImage[],
  signatures: readonly TestImage[] = [],
  access = accessTo(dataDir, "destination"),
): Promise<void> {
  await using destination = await openDestination("oci:l:v1", access);
  await putImage(destination, image);
  for (const artifact of artifacts) await attach(destination, artifact);
  for (const signed of signatures) await attach(destination, signed, TAG);
  await destination.commit(never);
}

async function referrersIn(dataDir: string): Promise<readonly Referrer[]> {
  await using source = await openSource("oci:l:v1", accessTo(dataDir, "source"));
  return source.getReferrers(image.digest, never);
}

const indexIn = async (dataDir: string) =>
  JSON.parse(await readFile(join(dataDir, "l/index.json"), "utf8")) as { manifests: object[] };

/** A layout of somebody else's making: these entries, and these blobs. */
async function makeLayout(dataDir: string, entries: readonly object[], blobs: readonly Buffer[]) {
  await mkdir(join(dataDir, "l/blobs/sha256"), { recursive: true });
  for (const bytes of blobs)
    await writeFile(join(dataDir, "l/blobs/sha256", hexOf(digestOf(bytes))), bytes);
  const index = { schemaVersion: 2, manifests: entries };
  await writeFile(join(dataDir, "l/index.json"), JSON.stringify(index));
}

const entryOf = (manifest: Pick<TestImage, "manifest" | "digest">, name?: string) => ({
  mediaType: manifest.manifest.mediaType,
  digest: manifest.digest,
  size: manifest.manifest.bytes.length,
  ...(name !== undefined && { annotations: { [NAME]: name } }),
});

test("referrers are found where they were put, with what their manifests say of them", async () => {
  await using dir = await makeDataDir();
  const signed = makeSignatures([{ payload: "{}", signature: "MEQC" }]);
  await write(dir.path, [sbom], [signed]);
  const size = (thing: TestImage) => thing.manifest.bytes.length;
  assert.deepEqual(await referrersIn(dir.path), [
    {
      mediaType: OCI_MANIFEST,
      digest: sbom.digest,
      size: size(sbom),
      artifactType: SBOM,
      annotations: { a: "b" },
    },
    { mediaType: OCI_MANIFEST, digest: signed.digest, size: size(signed), tag: TAG },
  ]);
  await using source = await openSource("oci:l:v1", accessTo(dir.path, "source"));
  assert.deepEqual(await source.getManifest(sbom.digest, never), sbom.manifest);
});

test("the index lists a referrer without a name and without annotations", async () => {
  await using dir = await makeDataDir();
  const impostor = makeArtifact(image, { annotations: { [NAME]: "v1" } });
  await write(dir.path, [impostor]);
  const { manifests } = await indexIn(dir.path);
  assert.deepEqual(manifests, [entryOf(image, "v1"), { ...entryOf(impostor), artifactType: SBOM }]);
});

test("a copy that is repeated adds nothing", async () => {
  await using dir = await makeDataDir();
  const signed = makeSignatures([{ payload: "{}", signature: "MEQC" }]);
  await write(dir.path, [sbom], [signed]);
  const before = await indexIn(dir.path);
  await write(dir.path, [sbom], [signed]);
  assert.deepEqual(await indexIn(dir.path), before);
});

test("signatures are added to those that the layout has", async () => {
  await using dir = await makeDataDir();
  const names = ["mine", "yours"];
  for (const signature of names)
    await write(dir.path, [], [makeSignatures([{ payload: "{}", signature }])]);
  const [found] = await referrersIn(dir.path);
  assert.ok(found?.tag === TAG);
  await using source = await openSource("oci:l:v1", accessTo(dir.path, "source"));
  const manifest = await source.getManifest(found.digest, never);
  const { layers, config } = parseOci(manifest);
  assert.deepEqual(
    layers.map(({ annotations }) => annotations?.["dev.cosignproject.cosign/signature"]),
    names,
  );
  const bytes = await readFile(join(dir.path, "l/blobs/sha256", hexOf(config.digest)));
  assert.equal(digestOf(bytes), config.digest);
  assert.equal((await indexIn(dir.path)).manifests.length, 2, "the old signatures are still named");
});

test("writers of one layout lose no referrer", async () => {
  await using dir = await makeDataDir();
  const exclusive = makeExclusive();
  const access = accessTo(dir.path, "destination", { exclusive });
  const artifacts = Array.from({ length: 10 }, (_, i) => makeArtifact(image, { seed: `${i}` }));
  await Promise.all(artifacts.map((artifact) => write(dir.path, [artifact], [], access)));
  assert.equal((await referrersIn(dir.path)).length, artifacts.length);
});

test("an image that was there already gets its new referrers", async () => {
  await using dir = await makeDataDir();
  await write(dir.path, []);
  await write(dir.path, [sbom]);
  assert.deepEqual(
    (await referrersIn(dir.path)).map(({ digest }) => digest),
    [sbom.digest],
  );
});

test("an index under the fallback tag's name lists referrers, as regclient writes it", async () => {
  await using dir = await makeDataDir();
  const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entryOf(sbom)] };
  const bytes = Buffer.from(JSON.stringify(list));
  const index = { manifest: { bytes, mediaType: OCI_INDEX }, digest: digestOf(bytes) };
  await makeLayout(
    dir.path,
    [entryOf(image, "v1"), entryOf(index, image.digest.replace(":", "-"))],
    [image.manifest.bytes, sbom.manifest.bytes, bytes],
  );
  assert.deepEqual(await referrersIn(dir.path), [entryOf(sbom)]);
});

test("an entry whose manifest is missing is none's referrer", async () => {
  await using dir = await makeDataDir();
  const entries = [entryOf(image, "v1"), entryOf(sbom)];
  await makeLayout(dir.path, entries, [image.manifest.bytes]);
  assert.deepEqual(await referrersIn(dir.path), []);
});

test("a manifest that is damaged is told of", async () => {
  await using dir = await makeDataDir();
  await write(dir.path, [sbom]);
  const file = join(dir.path, "l/blobs/sha256", hexOf(sbom.digest));
  await rm(file);
  await writeFile(file, "{}");
  await assert.rejects(referrersIn(dir.path), { code: "digest_mismatch" });
});

test("manifests without end are not all read", async () => {
  await using dir = await makeDataDir();
  const bytes = Buffer.alloc(4 * 1024 * 1024, " ");
  bytes.write(`{"schemaVersion":2}`);
  const large = { manifest: { bytes, mediaType: OCI_MANIFEST }, digest: digestOf(bytes) as Digest };
  const entries = Array.from({ length: 17 }, () => entryOf(large));
  await makeLayout(dir.path, [entryOf(image, "v1"), ...entries], [image.manifest.bytes, bytes]);
  await assert.rejects(referrersIn(dir.path), { code: "manifest_invalid", message: /too many/ });
});
