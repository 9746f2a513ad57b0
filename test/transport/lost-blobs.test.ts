// Registries lose blobs: between the moment at which they say that they have one and the manifest that names it (garbage collection), or at
// any time, so that a manifest is there without what it names.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { copyBetween } from "../hostile/copy-between.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { registriesFor } from "./docker-setup.ts";

const image = makeImage({ layers: 3 });
const [lost] = image.layers;

const copy = (t: TestContext, from: TestRegistry, to: TestRegistry, tag = "1") =>
  copyBetween({
    dataDir: "/nonexistent",
    registries: registriesFor(t),
    source: `docker://${from.host}/app:1`,
    destination: `docker://${to.host}/app:${tag}`,
  });

const puts = ({ requests }: TestRegistry, of = "manifests"): number =>
  requests.filter(({ method, kind }) => method === "PUT" && kind === of).length;

const isWhole = (registry: TestRegistry, tag = "1"): boolean =>
  registry.manifest("app", tag)?.digest === image.digest &&
  [...image.blobs.keys()].every((digest) => registry.blob("app", digest) !== undefined);

test("a blob that is lost after the registry has said that it has it is moved, and the image is whole", async (t) => {
  await using from = await startRegistry();
  await using to = await startRegistry();
  from.put("app", "1", image);
  // The same layers, and another config.
  to.put("app", "other", makeImage({ layers: 3, config: { author: "somebody" } }));
  to.fail("HEAD blobs", { loses: lost!.digest });
  await copy(t, from, to);
  assert.ok(isWhole(to));
  assert.equal(puts(to), 2);
});

test("an image of which the registry has kept the manifest and lost a blob is mended", async (t) => {
  await using from = await startRegistry();
  await using to = await startRegistry();
  from.put("app", "1", image);
  to.put("app", "1", image);
  to.content.deleteBlob("app", lost!.digest);
  await copy(t, from, to, "2");
  assert.ok(isWhole(to, "2"));
  assert.equal(puts(to, "uploads"), 1);
});

test("a registry that never has what it was given is given it twice, and no more", async (t) => {
  await using from = await startRegistry();
  await using to = await startRegistry();
  from.put("app", "1", image);
  to.fail("PUT manifests", { status: 404, code: "MANIFEST_BLOB_UNKNOWN" });
  await assert.rejects(copy(t, from, to), { code: "registry_unavailable" });
  assert.equal(puts(to), 2);
  assert.equal(to.manifest("app", "1"), undefined);
});
