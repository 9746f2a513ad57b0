// Blobs that break off on their way into a registry.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Bytes } from "../../src/bytes.ts";
import type { BlobStream, Destination } from "../../src/copy/interfaces.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { inPieces } from "../support/bytes.ts";
import { seededBytes } from "../support/images.ts";
import type { Fault } from "../support/registry-http.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { leftUploads, never, openDestination, registriesFor } from "./docker-setup.ts";

const MIB = 1024 * 1024;
const SIZE = 12 * MIB;
const bytes = seededBytes("resumed", SIZE);
const info = { digest: digestOf(bytes), size: SIZE, mediaType: "x" };
const QUICK = { stallMs: 500, storeMs: 2_000, breakMs: 1 };

/** As sources pour: so much is lent, and no more. */
const lending = (data: Buffer): Bytes => ({
  pour: async (sink, signal) => {
    let [lent, wake] = [0, () => {}];
    signal.addEventListener("abort", () => wake(), { once: true });
    for (let at = 0; at < data.length; at += 64 * 1024) {
      while (lent > MIB && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      signal.throwIfAborted();
      lent += 64 * 1024;
      sink(data.subarray(at, at + 64 * 1024), () => {
        lent -= 64 * 1024;
        wake();
      });
    }
  },
});

/** The blob, and which of its bytes were asked for again. */
function blobToSend() {
  const repeated: { readonly from: number; readonly to: number }[] = [];
  const again: BlobStream["again"] = (span) => {
    repeated.push(span);
    return inPieces(bytes.subarray(span.from, span.to), 50_000);
  };
  return { blob: { info, content: lending(bytes), again }, repeated };
}

async function open(t: TestContext, registry: TestRegistry): Promise<Destination> {
  return openDestination(`${registry.host}/a:v1`, { registries: registriesFor(t, QUICK) });
}

const uploadsTo = (registry: TestRegistry): readonly string[] =>
  registry.requests
    .filter(({ kind }) => kind === "uploads")
    .map(({ method, headers }) =>
      headers["content-range"] === undefined ? method : `${method} ${headers["content-range"]}`,
    );

const isThere = (registry: TestRegistry): boolean =>
  registry.blob("a", info.digest)?.equals(bytes) === true && registry.openUploads === 0;

const BREAKS: readonly Fault[] = [
  { reset: 5 * MIB },
  { stall: 5 * MIB },
  { reset: 0 },
  { status: 503 },
  { status: 500 },
  { status: 408 },
  { status: 429, headers: { "retry-after": "0" } },
];
for (const fault of BREAKS)
  test(`an upload that breaks off (${JSON.stringify(fault)}) goes on where the registry is`, async (t) => {
    await using registry = await startRegistry();
    registry.fail("PUT uploads", { ...fault, times: 1 });
    const { blob, repeated } = blobToSend();
    assert.deepEqual(await (await open(t, registry)).putBlob(blob, never), info);
    assert.ok(isThere(registry));
    const [post, whole, ask, rest = "", close] = uploadsTo(registry);
    const stored = Number(/^PATCH ([0-9]+)-/.exec(rest)?.[1] ?? 0);
    assert.deepEqual([post, whole, ask], ["POST", "PUT", "GET"]);
    if (stored > 0) assert.deepEqual([rest, close], [`PATCH ${stored}-${SIZE - 1}`, "PUT"]);
    else assert.equal(rest, "PUT", "nothing had come: all of it is sent in one request again");
    assert.ok(repeated.every(({ from }) => from >= stored));
    assert.ok(repeated.length <= 1);
  });

test("where an upload has lost bytes, the next ones keep what they have sent: what they lose is not read again", async (t) => {
  await using registry = await startRegistry();
  const destination = await open(t, registry);
  const readAgain: number[] = [];
  for (const resets of [1, 4]) {
    registry.fail("PUT uploads", { reset: 2 * MIB, times: 1 });
    registry.fail("PATCH uploads", { reset: MIB, times: resets - 1 });
    const { blob, repeated } = blobToSend();
    await destination.putBlob(blob, never);
    assert.ok(isThere(registry));
    registry.content.deleteBlob("a", info.digest);
    readAgain.push(repeated.reduce((sum, { from, to }) => sum + to - from, 0));
  }
  assert.ok((readAgain[0] ?? 0) > 0, "the first one has kept nothing");
  assert.equal(readAgain[1], 0);
});

test("an upload that breaks off eight times stores each byte once", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { reset: MIB, times: 1 });
  registry.fail("PATCH uploads", { reset: MIB, times: 7 });
  const { blob, repeated } = blobToSend();
  await (await open(t, registry)).putBlob(blob, never);
  assert.ok(isThere(registry));
  const starts = uploadsTo(registry).flatMap((what) =>
    what.startsWith("PATCH") ? [parseInt(what.slice(6))] : [],
  );
  assert.equal(starts.length, 8);
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
  assert.ok(repeated.every(({ from }) => starts.includes(from)));
});

test("what is left at the registry is more than was read: nothing of it is sent, all of it is read", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { reset: 5 * MIB });
  const registries = registriesFor(t, QUICK);
  const uploads = leftUploads();
  const destination = await openDestination(`${registry.host}/a:v1`, {
    registries,
    uploads,
  });
  const once = { info, content: lending(bytes) };
  await assert.rejects(destination.putBlob(once, never), { code: "registry_unavailable" });
  assert.equal(registry.openUploads, 1, "a later attempt may go on");
  registry.heal();
  let poured = 0;
  const counted: Bytes = {
    pour: (sink, signal) =>
      lending(bytes).pour((chunk, release) => {
        poured += chunk.length;
        sink(chunk, release);
      }, signal),
  };
  await destination.putBlob({ info, content: counted }, never);
  assert.ok(isThere(registry));
  assert.equal(poured, SIZE);
  assert.deepEqual(
    uploadsTo(registry).map((what) => what.split(" ")[0]),
    ["POST", "PUT", "GET", "PATCH", "PUT"],
  );
  assert.equal(uploads.left.size, 0);
});

for (const code of ["size_mismatch", "destination_unauthorized"] as const)
  test(`an upload that fails for good (${code}) is given back and forgotten`, async (t) => {
    await using registry = await startRegistry();
    registry.fail(
      "PUT uploads",
      code === "size_mismatch" ? { status: 400, code: "SIZE_INVALID" } : { status: 403 },
    );
    const uploads = leftUploads();
    const destination = await openDestination(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
      uploads,
    });
    await assert.rejects(destination.putBlob(blobToSend().blob, never), { code });
    assert.deepEqual([registry.openUploads, uploads.left.size], [0, 0]);
  });

for (const [status, code, given] of [
  [404, "X", 0],
  [410, "X", 0],
  [400, "BLOB_UPLOAD_INVALID", 0],
  [400, "X", 1],
  [403, "DENIED", 1],
  [405, "UNSUPPORTED", 1],
  [501, "UNSUPPORTED", 1],
] as const)
  test(`a session that is asked how far it is, and answers ${status} ${code}, is ${given === 0 ? "not there to be" : ""} given back`, async (t) => {
    await using registry = await startRegistry();
    registry.fail("PUT uploads", { reset: 5 * MIB, times: 1 });
    registry.fail("GET uploads", { status, code, times: 1 });
    await (await open(t, registry)).putBlob(blobToSend().blob, never);
    const deletes = Array.from({ length: given }, () => "DELETE");
    assert.deepEqual(uploadsTo(registry), ["POST", "PUT", "GET", ...deletes, "POST", "PUT"]);
    assert.equal(registry.openUploads, 1 - given);
  });

for (const [what, answer, expected] of [
  ["has nothing yet", undefined, ["GET", "PUT"]],
  ["is lost", { status: 404 }, ["GET", "POST", "PUT"]],
  ["does not say how far it is", { status: 403 }, ["GET", "DELETE", "POST", "PUT"]],
] as const)
  test(`an upload that somebody has begun and that ${what} is gone on with, or given back`, async (t) => {
    await using registry = await startRegistry();
    registry.fail("PUT uploads", { reset: 0, times: 1 });
    const destination = await openDestination(`${registry.host}/a:v1`, {
      registries: registriesFor(t, QUICK),
      uploads: leftUploads(),
    });
    const once = { info, content: lending(bytes) };
    await assert.rejects(destination.putBlob(once, never), { code: "registry_unavailable" });
    registry.requests.length = 0;
    if (answer !== undefined) registry.fail("GET uploads", { ...answer, times: 1 });
    await destination.putBlob({ info, content: lending(bytes) }, never);
    assert.deepEqual(uploadsTo(registry), expected);
    assert.equal(registry.openUploads, what === "is lost" ? 1 : 0);
  });

test("a digest that does not fit twice is one that does not fit", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { reset: 5 * MIB, times: 1 });
  registry.fail("PUT uploads", { status: 400, code: "DIGEST_INVALID" });
  await assert.rejects((await open(t, registry)).putBlob(blobToSend().blob, never), {
    code: "digest_mismatch",
  });
  assert.equal(uploadsTo(registry).filter((what) => what === "POST").length, 2);
  assert.equal(registry.openUploads, 0);
});

test("where only the last answer got lost, the blob is there", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { mute: true, times: 1 });
  const { blob, repeated } = blobToSend();
  await (await open(t, registry)).putBlob(blob, never);
  assert.ok(isThere(registry));
  assert.deepEqual(uploadsTo(registry), ["POST", "PUT", "GET"]);
  assert.deepEqual(repeated, []);
});

test("where only the last answer to unknown content got lost, the blob is there", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { mute: true, times: 1 });
  const stored = await (
    await open(t, registry)
  ).putBlob({ info: { mediaType: "x" }, content: lending(bytes) }, never);
  assert.equal(stored.digest, info.digest);
  assert.ok(isThere(registry));
});

test("a registry that stays away is given up, with what it was last", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT uploads", { reset: 5 * MIB });
  registry.fail("PATCH uploads", { reset: 0 });
  await assert.rejects(
    (await open(t, registry)).putBlob(blobToSend().blob, never),
    (error: CopyError) => {
      assert.equal(error.code, "registry_unavailable");
      assert.equal(error.context.side, "destination");
      return true;
    },
  );
  assert.equal(registry.openUploads, 0);
});

test("what fails at the source while it is read again is the source's failure", async (t) => {
  await using registry = await startRegistry({ quirks: ["loses-uploads"] });
  registry.fail("PUT uploads", { reset: 5 * MIB, times: 1 });
  const failure = new CopyError("registry_unavailable", "gone", { side: "source" });
  const again = () => ({
    pour: async () => {
      throw failure;
    },
  });
  await assert.rejects(
    (await open(t, registry)).putBlob({ info, content: lending(bytes), again }, never),
    failure,
  );
});

test("unknown content that is too much fails, and goes in pieces the next time", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PATCH uploads", { status: 413, times: 1 });
  const destination = await open(t, registry);
  const put = () =>
    destination.putBlob({ info: { mediaType: "x" }, content: lending(bytes) }, never);
  await assert.rejects(put(), { code: "registry_unavailable" });
  assert.equal((await put()).digest, info.digest);
  assert.equal(uploadsTo(registry).at(-2), `PATCH 0-${SIZE - 1}`);
});
