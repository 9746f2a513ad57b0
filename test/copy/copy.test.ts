import assert from "node:assert/strict";
import { test } from "node:test";
import type { Certainty } from "../../src/copy/interfaces.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";
import { makeImage, makeList } from "../support/images.ts";
import { copy } from "../support/copying.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";

const code = (expected: string, side?: string) => (error: unknown) =>
  error instanceof CopyError &&
  error.code === expected &&
  (side === undefined || error.context.side === side);
const three = () =>
  makeList(
    ["amd64", "arm64", "s390x"].map((architecture) =>
      makeImage({ platform: { os: "linux", architecture }, seed: architecture }),
    ),
  );

test("an image arrives whole: blobs first, then its manifest as it was, then the commit", async () => {
  const image = makeImage({ layers: 3 });
  const destination = new MemoryDestination();
  const { result, lines } = await copy(new MemorySource(image), destination);
  assert.equal(result.digest, image.digest);
  assert.equal(result.skipped, false);
  assert.deepEqual(destination.manifests.get("top")?.bytes, image.manifest.bytes);
  for (const [digest, bytes] of image.blobs) assert.deepEqual(destination.blobs.get(digest), bytes);
  assert.deepEqual(destination.log.slice(-2), ["manifest top", "commit"]);
  assert.equal(destination.log.length, image.blobs.size + 2);
  assert.equal(lines.at(-1), "Writing manifest to image destination");
});

test("each blob is announced, told as done once it is stored, and planned before any of them moves", async () => {
  const image = makeImage({ layers: 2 });
  const { events } = await copy(new MemorySource(image), new MemoryDestination());
  assert.equal(
    events.findIndex((e) => e.type === "planned") < events.findIndex((e) => e.type === "blob-new"),
    true,
  );
  for (const [digest, bytes] of image.blobs) {
    const own = events.filter((e) => "artifact" in e && e.artifact.digest === digest);
    assert.deepEqual(
      own.map((e) => e.type),
      ["blob-new", "blob-done"],
    );
    assert.equal(own[1]?.type === "blob-done" && own[1].offset, bytes.length);
  }
});

test("of a list the machine's own image becomes what the destination names", async () => {
  const list = three();
  const destination = new MemoryDestination();
  const { result } = await copy(new MemorySource(list), destination);
  assert.equal(result.digest, list.images[0]?.digest);
  assert.equal(result.sourceDigest, list.digest);
  assert.deepEqual([...destination.manifests.keys()], ["top"]);
});

test("a whole list has its images before itself, and stays byte for byte", async () => {
  const list = three();
  const destination = new MemoryDestination();
  const { result, lines } = await copy(new MemorySource(list), destination, {
    imageListSelection: "all",
  });
  assert.equal(result.digest, list.digest);
  assert.deepEqual(destination.manifests.get("top")?.bytes, list.manifest.bytes);
  for (const { digest, manifest } of list.images)
    assert.deepEqual(destination.manifests.get(digest)?.bytes, manifest.bytes);
  assert.deepEqual(destination.log.slice(-2), ["manifest top", "commit"]);
  assert.ok(lines.includes("Copying 3 images generated from 3 images in list"));
  assert.ok(lines.some((line) => line.endsWith("(3/3)")));
});

test("specific with nothing named writes the list alone", async () => {
  const list = three();
  const destination = new MemoryDestination();
  await copy(new MemorySource(list), destination, { imageListSelection: "specific" });
  assert.deepEqual(destination.log, ["manifest top", "commit"]);
});

test("images of a list go side by side, and a blob that they share moves once", async () => {
  const shared = makeImage({ layers: 2, seed: "same" });
  const others = ["arm64", "s390x"].map((architecture) =>
    makeImage({ layers: 2, seed: "same", platform: { os: "linux", architecture } }),
  );
  const source = new MemorySource(makeList([shared, ...others]));
  const destination = new MemoryDestination();
  destination.whileStoring = () => new Promise((resolve) => setImmediate(resolve));
  await copy(source, destination, { imageListSelection: "all" });
  assert.equal(new Set(source.asked).size, source.asked.length);
  assert.ok(destination.peak > 3);
});

test("no more blobs move at once than the copy's own limit and the shared one allow", async () => {
  for (const [maxParallelDownloads, permits, peak] of [
    [2, 100, 2],
    [6, 3, 3],
    [6, 100, 6],
  ] as const) {
    const destination = new MemoryDestination();
    destination.whileStoring = () => new Promise((resolve) => setImmediate(resolve));
    await copy(
      new MemorySource(makeImage({ layers: 12 })),
      destination,
      { maxParallelDownloads },
      permits,
    );
    assert.equal(destination.peak, peak);
  }
});

test("what the destination has is not moved, what its registry has elsewhere is mounted", async () => {
  const image = makeImage({ layers: 2 });
  const [first, second] = image.layers;
  const source = new MemorySource(image, { registry: "r", repository: "a" });
  const destination = new MemoryDestination({ location: { registry: "r", repository: "b" } });
  destination.blobs.set(
    first?.digest as Digest,
    image.blobs.get(first?.digest as Digest) as Buffer,
  );
  destination.mountable.add(second?.digest as Digest);
  const { events } = await copy(source, destination);
  assert.deepEqual(source.asked, [image.config.digest]);
  assert.deepEqual(
    events
      .flatMap((e) => (e.type === "blob-skipped" ? [[e.artifact.digest, e.reason]] : []))
      .sort(([a = ""], [b = ""]) => a.localeCompare(b)),
    [
      [first?.digest, "exists"],
      [second?.digest, "mounted"],
    ].sort(([a = ""], [b = ""]) => a.localeCompare(b)),
  );
});

test("a blob with wrong bytes is the source's fault, and nothing that names it is written", async () => {
  const image = makeImage({ layers: 2 });
  const source = new MemorySource(image);
  const layer = image.layers[1];
  const wrong = Buffer.from(source.blobs.get(layer?.digest as Digest) as Buffer);
  wrong[9] = (wrong[9] ?? 0) ^ 1;
  source.blobs.set(layer?.digest as Digest, wrong);
  const destination = new MemoryDestination();
  await assert.rejects(copy(source, destination), code("digest_mismatch", "source"));
  assert.ok(!destination.log.includes("manifest top") && !destination.log.includes("commit"));
});

test("a failure of the destination is the destination's, stops the other blobs, and tells no blob as done that is not", async () => {
  const image = makeImage({ layers: 3 });
  const destination = new MemoryDestination();
  const failing = image.layers[1]?.digest;
  const aborted: unknown[] = [];
  destination.whileStoring = async (digest, signal) => {
    if (digest === failing) throw new CopyError("registry_unavailable", "gone");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    aborted.push(digest);
    signal.throwIfAborted();
  };
  await assert.rejects(
    copy(new MemorySource(image), destination),
    code("registry_unavailable", "destination"),
  );
  assert.equal(aborted.length, image.blobs.size - 1);
});

test("a copy that is aborted ends with the abort's reason", async () => {
  const stop = new AbortController();
  const destination = new MemoryDestination();
  destination.whileStoring = async (_, signal) => {
    stop.abort(new Error("enough"));
    signal.throwIfAborted();
  };
  await assert.rejects(
    copy(new MemorySource(makeImage()), destination, {}, 100, stop.signal),
    /enough/,
  );
});

test("signatures are kept with the image, dropped where that is asked for, and never lost silently", async () => {
  const image = makeImage();
  const source = new MemorySource(image);
  source.signatures.push({ bytes: Buffer.from("signed") });
  const keeping = new MemoryDestination();
  assert.equal((await copy(source, keeping)).result.signatures, 1);
  assert.equal(keeping.signatures.get("top")?.length, 1);
  assert.deepEqual(keeping.log.slice(-3), ["manifest top", "signatures top", "commit"]);
  const dropping = new MemoryDestination({ traits: { signatures: false } });
  assert.equal((await copy(source, dropping, { removeSignatures: true })).result.signatures, 0);
  const placeless = new MemoryDestination({ traits: { signatures: false } });
  await assert.rejects(copy(source, placeless), code("signing_failed", "destination"));
  assert.deepEqual(placeless.log, []);
});

test("an image that is there already is left as it is, if that is asked for", async () => {
  const image = makeImage();
  const source = new MemorySource(image);
  const destination = new MemoryDestination();
  await copy(source, destination);
  destination.log.length = 0;
  const { result, lines } = await copy(source, destination, {
    optimizeDestinationImageAlreadyExists: true,
  });
  assert.deepEqual(
    [result.skipped, result.digest, destination.log, lines.at(-1)],
    [true, image.digest, [], "Skipping: image already present at destination"],
  );
});

for (const [ifTagExists, same, outcome] of [
  ["skip", false, "skipped"],
  ["skip", true, "skipped"],
  ["fail", true, "skipped"],
  ["fail", false, "tag_exists"],
  ["overwrite", false, "copied"],
] as const) {
  test(`with ifTagExists ${ifTagExists}, a tag that names ${same ? "the same" : "another"} image: ${outcome}`, async () => {
    const image = makeImage();
    const present = same ? image : makeImage({ seed: "other" });
    const destination = new MemoryDestination();
    destination.manifests.set("top", present.manifest);
    const running = copy(new MemorySource(image), destination, { ifTagExists });
    if (outcome === "tag_exists") return assert.rejects(running, code("tag_exists", "destination"));
    const { result } = await running;
    assert.equal(result.skipped, outcome === "skipped");
    assert.equal(result.digest, outcome === "skipped" ? present.digest : image.digest);
    assert.equal(destination.log.length === 0, outcome === "skipped");
  });
}

for (const [ifTagExists, expected] of [
  ["overwrite", "likely"],
  ["fail", "sure"],
  ["skip", "sure"],
] as const)
  test(`with ifTagExists ${ifTagExists} it is ${expected} enough to know what the tag names`, async () => {
    const asked: unknown[] = [];
    const destination = new (class extends MemoryDestination {
      override findManifest(instance: Digest | undefined, _?: AbortSignal, certainty?: Certainty) {
        if (instance === undefined) asked.push(certainty);
        return super.findManifest(instance);
      }
    })();
    await copy(new MemorySource(makeImage()), destination, {
      ifTagExists,
      optimizeDestinationImageAlreadyExists: true,
    });
    assert.deepEqual(asked, [expected]);
  });

test("a digested destination takes the image it names, and refuses others before anything is written", async () => {
  const image = makeImage();
  await copy(new MemorySource(image), new MemoryDestination({ digest: image.digest }));
  const other = new MemoryDestination({ digest: digestOf(Buffer.from("other")) });
  await assert.rejects(copy(new MemorySource(image), other), code("digest_not_preserved"));
  assert.deepEqual(other.log, []);
});

test("a list that goes nowhere as a list is refused before anything is written, an image that may not change stays itself", async () => {
  const docker = new MemoryDestination({ traits: { manifestTypes: [SCHEMA2] } });
  await assert.rejects(
    copy(new MemorySource(three()), docker, { imageListSelection: "all" }),
    code("lists_not_supported"),
  );
  const preserved = await copy(new MemorySource(makeImage()), docker, { preserveDigests: true });
  assert.equal(preserved.result.mediaType, OCI_MANIFEST);
});

test("an instance that is served as something else than the list says is refused", async () => {
  const list = three();
  const source = new MemorySource(list);
  const first = list.images[0];
  assert.ok(first !== undefined);
  source.manifests.set(first.digest, { ...first.manifest, mediaType: OCI_INDEX });
  await assert.rejects(
    copy(source, new MemoryDestination(), { imageListSelection: "all" }),
    code("manifest_invalid", "source"),
  );
});
