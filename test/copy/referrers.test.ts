import assert from "node:assert/strict";
import { test } from "node:test";
import type { Referrer } from "../../src/copy/interfaces.ts";
import { checkReferrers, ReferrerCopy } from "../../src/copy/referrers.ts";
import { REFERRER_LIMITS } from "../../src/image/manifest/referrer.ts";
import type { Digest } from "../../src/image/digest.ts";
import {
  makeArtifact,
  makeArtifactList,
  makeSignatures,
  SBOM,
  signatureTag,
} from "../support/artifacts.ts";
import { makeImage, type TestImage, type TestList } from "../support/images.ts";
import { ANY, MemoryDestination, MemorySource } from "../support/memory.ts";

const never = new AbortController().signal;
const image = makeImage();

type Thing = TestImage | TestList;

const entryOf = ({ manifest, digest }: Thing, tag?: string): Referrer => ({
  mediaType: manifest.mediaType,
  digest,
  size: manifest.bytes.length,
  artifactType: SBOM,
  ...(tag !== undefined && { tag }),
});

/** A source with the image, and what refers to what. */
function sourceWith(...relations: readonly (readonly [of: Thing, ...referrers: Thing[]])[]) {
  const source = new MemorySource(image);
  for (const [of, ...referrers] of relations) {
    source.referrers.set(
      of.digest,
      referrers.map((referrer) => entryOf(referrer)),
    );
    for (const { digest, manifest } of referrers) source.manifests.set(digest, manifest);
  }
  return source;
}

async function copy(source: MemorySource, subject: Digest = image.digest) {
  const destination = new MemoryDestination({ traits: { referrers: true } });
  const lines: string[] = [];
  const referrers = new ReferrerCopy({
    source,
    destination,
    report: (event) => void (event.type === "report" && lines.push(event.message)),
    copyImage: (manifest, digest) => destination.putManifest(manifest, digest),
  });
  await referrers.copyOf(subject, never);
  return { referrers, destination, lines };
}

test("a referrer is an image as any other, then it is made discoverable", async () => {
  const artifact = makeArtifact(image);
  const { destination, lines, referrers } = await copy(sourceWith([image, artifact]));
  assert.deepEqual(destination.log, [
    `manifest ${artifact.digest}`,
    `referrer ${artifact.digest} of ${image.digest}`,
  ]);
  assert.deepEqual(destination.manifests.get(artifact.digest), artifact.manifest);
  assert.deepEqual(lines, [`Copying referrer ${artifact.digest} (${SBOM})`]);
  assert.equal(referrers.copied, 1);
});

test("what refers to a referrer comes after it", async () => {
  const sbom = makeArtifact(image);
  const signature = makeArtifact(sbom, { seed: "signature" });
  const { destination } = await copy(sourceWith([image, sbom], [sbom, signature]));
  assert.deepEqual(
    destination.log.filter((line) => line.startsWith("referrer")),
    [
      `referrer ${sbom.digest} of ${image.digest}`,
      `referrer ${signature.digest} of ${sbom.digest}`,
    ],
  );
});

test("a list that refers to the image has its images before itself", async () => {
  const [one, two] = [makeImage({ seed: "one" }), makeImage({ seed: "two" })];
  const list = makeArtifactList(image, [one, two]);
  const source = sourceWith([image, list]);
  for (const { digest, manifest } of list.images) source.manifests.set(digest, manifest);
  const { destination } = await copy(source);
  assert.deepEqual(destination.log, [
    `manifest ${one.digest}`,
    `manifest ${two.digest}`,
    `referrer ${list.digest} of ${image.digest}`,
  ]);
});

test("what is found by a tag needs no subject, and keeps the tag", async () => {
  const signatures = makeSignatures([{ payload: "{}", signature: "MEQC" }]);
  const source = sourceWith();
  const tag = signatureTag(image.digest);
  source.manifests.set(signatures.digest, signatures.manifest);
  source.referrers.set(image.digest, [entryOf(signatures, tag)]);
  const { destination } = await copy(source);
  const line = `referrer ${signatures.digest} of ${image.digest} as ${tag}`;
  assert.equal(destination.log.at(-1), line);
});

test("a manifest's referrers are copied once, however often they are asked for", async () => {
  const artifact = makeArtifact(image);
  const { referrers, destination } = await copy(sourceWith([image, artifact]));
  await referrers.copyOf(image.digest, never);
  await referrers.copyOf(artifact.digest, never);
  assert.equal(destination.log.length, 2);
});

test("what does not refer to the image is skipped, and so is what refers to that", async () => {
  const other = makeImage({ seed: "other" });
  const stray = makeArtifact(other);
  const strays = makeArtifact(stray, { seed: "strays" });
  const own = makeArtifact(image);
  const { destination, lines } = await copy(sourceWith([image, stray, own], [stray, strays]));
  assert.equal(destination.manifests.has(own.digest), true);
  assert.equal(destination.manifests.has(stray.digest), false);
  assert.equal(destination.manifests.has(strays.digest), false);
  assert.equal(lines.filter((line) => line.startsWith("Skipping referrer")).length, 2);
});

test("a referrer that is listed for two is copied for the one that it refers to, with its own", async () => {
  const sbom = makeArtifact(image);
  const signature = makeArtifact(sbom, { seed: "signature" });
  const { destination } = await copy(sourceWith([image, sbom, signature], [sbom, signature, sbom]));
  assert.deepEqual(
    destination.log.filter((line) => line.startsWith("referrer")).toSorted(),
    [
      `referrer ${sbom.digest} of ${image.digest}`,
      `referrer ${signature.digest} of ${sbom.digest}`,
    ].toSorted(),
  );
});

test("what the source lists and does not have is skipped, and told", async () => {
  const [gone, own] = [makeArtifact(image, { seed: "gone" }), makeArtifact(image)];
  const source = sourceWith([image, gone, own]);
  source.manifests.delete(gone.digest);
  const { referrers, lines } = await copy(source);
  assert.equal(referrers.copied, 1);
  assert.match(
    lines.join("\n"),
    new RegExp(`Skipping referrer ${gone.digest}: the source lists it`),
  );
});

test("lists that name each other, or themselves, end", async () => {
  const [one, two] = [makeArtifact(image, { seed: "1" }), makeArtifact(image, { seed: "2" })];
  const source = sourceWith([image, one, two], [one, two, one, image as TestImage], [two, one]);
  const { referrers } = await copy(source);
  assert.equal(referrers.copied, 2);
});

test("a type that the list and the source do not agree on is refused", async () => {
  const artifact = makeArtifact(image);
  const source = sourceWith([image, artifact]);
  source.referrers.set(image.digest, [{ ...entryOf(artifact), mediaType: "text/plain" }]);
  await assert.rejects(copy(source), { code: "manifest_invalid", message: /text\/plain/ });
});

test("a list that refers to the image and names what is not there is refused", async () => {
  const list = makeArtifactList(image, [makeImage({ seed: "one" })]);
  await assert.rejects(copy(sourceWith([image, list])), { code: "source_not_found" });
});

/** An artifact that refers to an artifact that refers … to the image. */
function chain(length: number): readonly TestImage[] {
  const things = [image];
  for (let i = 0; i < length; i++)
    things.push(makeArtifact(things.at(-1) as TestImage, { seed: `${i}` }));
  return things;
}
const related = (things: readonly TestImage[]) =>
  things.slice(1).map((thing, i) => [things[i] as TestImage, thing] as const);

test("referrers of referrers are copied over four steps, and not at all where there are more", async () => {
  const { depth } = REFERRER_LIMITS;
  const { referrers } = await copy(sourceWith(...related(chain(depth))));
  assert.equal(referrers.copied, depth);
  const source = sourceWith(...related(chain(depth + 1)));
  await assert.rejects(copy(source), { code: "manifest_invalid", message: /4 steps/ });
});

test("more than a thousand referrers are refused before any is copied", async () => {
  const source = sourceWith();
  const entries = (count: number, seed: string) =>
    Array.from({ length: count }, (_, i) => entryOf(makeArtifact(image, { seed: `${seed}${i}` })));
  const first = entries(20, "first");
  source.referrers.set(image.digest, first);
  first.forEach(({ digest }, i) => source.referrers.set(digest, entries(50, `${i}/`)));
  const asked = source.getManifest.bind(source);
  let manifests = 0;
  source.getManifest = (instance) => (manifests++, asked(instance));
  await assert.rejects(copy(source), { code: "manifest_invalid", message: /1000 manifests/ });
  assert.equal(manifests, 0);
});

test("a destination without a place for referrers is refused, if they are wanted", () => {
  const destination = { name: "dir:here", traits: ANY };
  const refused = { code: "referrers_not_supported", message: /`options.referrers`.*`dir:here`/ };
  assert.throws(() => checkReferrers(true, destination), refused);
  checkReferrers(false, destination);
  checkReferrers(true, { name: "docker://here", traits: { ...ANY, referrers: true } });
});
