// What registries do otherwise that no copy of a whole profile meets (docker-profiles.test.ts): refusals, and addresses of every form.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { SCHEMA2 } from "../../src/image/media-types.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import { inPieces } from "../support/bytes.ts";
import { makeImage, makeList, seededBytes } from "../support/images.ts";
import type { RegistryAuth } from "../support/registry-auth.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { copyBetween, never, openDestination, registriesFor } from "./docker-setup.ts";

const MIB = 1024 * 1024;
const credentials = { username: "user", password: "s3cret" } as const;
const TOKENS: RegistryAuth = { kind: "bearer", ...credentials };
const image = makeImage({ layers: [2_000, 3_000] });
const blobs = [...image.layers, image.config];

/** A registry that has the image as `a:v1`, one with quirks, and how to copy between them. */
async function start(t: TestContext, quirks: readonly Quirk[], auth?: RegistryAuth) {
  const plain = await startRegistry();
  const registry = await startRegistry({ quirks, ...(auth !== undefined && { auth }) });
  t.after(async () => {
    await plain[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });
  plain.put("a", "v1", image);
  const registries = registriesFor(t, { retryMs: 1, breakMs: 1 });
  const access = (text: string) => ({
    registries,
    ...(auth !== undefined && text.startsWith(registry.host) && { credentials }),
  });
  return {
    plain,
    registry,
    open: (ref: string) => openDestination(`${registry.host}/${ref}`, access(registry.host)),
    copyIn: (to: string, from = "a:v1") =>
      copyBetween(`${plain.host}/${from}`, `${registry.host}/${to}`, access),
    copyWithin: (from: string, to: string) =>
      copyBetween(`${registry.host}/${from}`, `${registry.host}/${to}`, access),
  };
}

const asked = ({ requests }: TestRegistry, method: string, kind: string): number =>
  requests.filter((request) => request.method === method && request.kind === kind).length;

const isRefused =
  (code: string, status: number) =>
  (error: CopyError): boolean => {
    assert.equal(error.code, code);
    assert.equal(error.context.side, "destination");
    assert.equal(error.context.upstream?.status, status);
    return true;
  };

test("where tags stay what they are, one that is right is no failure, and one that is not is left alone", async (t) => {
  const { plain, registry, copyIn } = await start(t, ["immutable-tags"]);
  await copyIn("b:v1");
  await copyIn("b:v1");
  assert.equal(asked(registry, "PUT", "manifests"), 2);
  plain.put("a", "other", makeImage({ seed: "other" }));
  await assert.rejects(copyIn("b:v1", "a:other"), isRefused("registry_refused", 400));
  assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
  assert.equal(asked(registry, "PUT", "manifests"), 3, "no other type would help");
});

test("who may push and not look sends everything, each time", async (t) => {
  const { registry, copyIn } = await start(t, ["push-only"]);
  for (const tag of ["v1", "v2"]) {
    await copyIn(`b:${tag}`);
    assert.equal(registry.manifest("b", tag)?.digest, image.digest);
  }
  assert.equal(asked(registry, "PUT", "uploads"), 2 * blobs.length);
  assert.equal(registry.openUploads, 0);
});

test("a repository that has to be made by other means fails the copy at once, in the registry's words", async (t) => {
  const { registry, copyIn } = await start(t, ["no-new-repositories"]);
  await assert.rejects(copyIn("b:v1"), (error: CopyError) => {
    assert.match(error.message, /NAME_UNKNOWN: the repository b does not exist/);
    return isRefused("registry_refused", 404)(error);
  });
  assert.ok(asked(registry, "POST", "uploads") <= blobs.length, "it is not asked twice for a blob");
  registry.content.makeRepository("b");
  await copyIn("b:v1");
  assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
});

test("an upload that cannot be given back does not fail the copy, nor is the right to do so asked for again", async (t) => {
  const { registry, open, copyIn } = await start(t, ["no-cancel"], TOKENS);
  for (let copies = 0; copies < 2; copies++) {
    const destination = await open("b:v1");
    destination.expectBlob?.(image.config, never);
    await destination[Symbol.asyncDispose]();
  }
  assert.equal(registry.openUploads, 2);
  await copyIn("b:v1");
  assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
  assert.equal(asked(registry, "DELETE", "uploads"), 2);
  assert.equal(asked(registry, "GET", "token"), 1);
});

test("where OCI's types are unknown the image goes as docker's", async (t) => {
  const { registry, copyIn } = await start(t, ["no-oci"]);
  await copyIn("b:v1");
  assert.equal(registry.manifest("b", "v1")?.mediaType, SCHEMA2);
  assert.equal(asked(registry, "PUT", "manifests"), 2);
});

for (const quirk of ["refuses-foreign", "denies-foreign"] as const)
  test(`a mount from where nothing is (${quirk}) leaves the blob to be sent`, async (t) => {
    const { registry, open } = await start(t, [quirk]);
    await using destination = await open("b:v1");
    const gone = { registry: registry.host, repository: "gone" };
    assert.equal(await destination.mountBlob(image.config, gone, never), false);
    const content = inPieces(image.blobs.get(image.config.digest) ?? Buffer.alloc(0), 100);
    await destination.putBlob({ info: image.config, content }, never);
    assert.ok(registry.quirks.met.has(quirk));
    assert.equal(registry.openUploads, 0);
  });

test("tokens do not grow with the repositories that a process copies to, nor with what it mounts from", async (t) => {
  const { registry, copyIn, copyWithin } = await start(t, ["small-headers"], TOKENS);
  await copyIn("b0:v1");
  for (let n = 1; n <= 6; n++) await copyWithin(`b${n - 1}:v1`, `b${n}:v1`);
  assert.equal(registry.manifest("b6", "v1")?.digest, image.digest);
  assert.equal(registry.quirks.met.size, 0);
  assert.equal(asked(registry, "PUT", "uploads"), blobs.length, "the rest was mounted");
});

test("a list is taken for one where only those are given one who ask for it", async (t) => {
  const { plain, registry, copyIn, copyWithin } = await start(t, ["image-for-list"]);
  const list = makeList([
    image,
    makeImage({ seed: "arm", platform: { os: "linux", architecture: "arm64" } }),
  ]);
  registry.put("b", "v1", list);
  plain.put("a", "v2", image);
  await copyWithin("b:v1", "c:v1");
  assert.equal(registry.manifest("c", "v1")?.digest, image.digest, "the system's own, of the list");
  await using destination = await openDestination(`${registry.host}/b:v1`, {
    registries: registriesFor(t),
  });
  assert.equal((await destination.findManifest(undefined, never))?.digest, list.digest);
  await copyIn("b:v2", "a:v2");
  assert.equal(registry.quirks.met.size, 0);
});

test("a repository of many tags is listed where no more than 1,000 may be asked for", async (t) => {
  const { registry } = await start(t, ["small-pages"]);
  for (let n = 0; n < 1_500; n++) registry.put("b", `v${n}`, image);
  const access = {
    side: "source",
    registries: registriesFor(t),
    tlsVerify: false,
  } as AccessContext;
  const tags = await listDockerTags(parseDockerReference(`${registry.host}/b`, ""), access, never);
  assert.equal(tags.length, 1_500);
});

const FORMS: readonly Quirk[] = [
  "relative-location",
  "bare-location",
  "schemeless-location",
  "long-location",
  "odd-upload-location",
  "uploads-elsewhere",
];
const bytes = seededBytes("forms", 8 * MIB);
const info = { digest: digestOf(bytes), size: bytes.length, mediaType: "x" };

for (const quirk of [undefined, ...FORMS])
  test(`an upload goes on at a ${quirk ?? "plain location"}, with what its address carries: whole, as a stream, in pieces, resumed`, async (t) => {
    const { registry, open } = await start(t, quirk === undefined ? [] : [quirk], TOKENS);
    await using destination = await open("b:v1");
    const put = async (known: boolean) => {
      registry.content.deleteBlob("b", info.digest);
      const content = inPieces(bytes, 100_000);
      const again = ({ from, to }: { from: number; to: number }) =>
        inPieces(bytes.subarray(from, to), 100_000);
      await destination.putBlob(
        known ? { info, content, again } : { info: { mediaType: "x" }, content },
        never,
      );
      assert.ok(registry.blob("b", info.digest)?.equals(bytes));
    };
    await put(true);
    await put(false);
    registry.fail("PUT uploads", { reset: 3 * MIB, times: 1 });
    await put(true);
    registry.fail("PUT uploads", { status: 413, times: 1 });
    await put(true);
    assert.equal(registry.openUploads, 0);
    assert.ok(quirk === undefined || registry.quirks.met.has(quirk));
    for (const { headers } of registry.elsewhere) assert.equal(headers.authorization, undefined);
    const all = [...registry.requests, ...registry.elsewhere];
    assert.equal(all.filter(({ method }) => method === "PATCH").length, 1 + 1 + 2);
  });
