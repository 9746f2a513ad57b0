// Registries that take a blob in some way only, or do not take up again what broke off: all that they are asked, and the blob is there.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { BlobStream, Destination } from "../../src/copy/interfaces.ts";
import { digestOf } from "../../src/image/digest.ts";
import { inPieces } from "../support/bytes.ts";
import { seededBytes } from "../support/images.ts";
import type { Fault } from "../support/registry-http.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { leftUploads, never, openDestination, registriesFor } from "./docker-setup.ts";

const MIB = 1024 * 1024;
const SIZE = 12 * MIB;
const bytes = seededBytes("ways", SIZE);
const info = { digest: digestOf(bytes), size: SIZE, mediaType: "x" };

/** The blob, which can be read again. */
const blobToSend = (): BlobStream => ({
  info,
  content: inPieces(bytes, 64 * 1024),
  again: ({ from, to }) => inPieces(bytes.subarray(from, to), 50_000),
});

const unknown = (): BlobStream => ({
  info: { mediaType: "x" },
  content: inPieces(bytes, 64 * 1024),
});

const open = (t: TestContext, registry: TestRegistry): Promise<Destination> =>
  openDestination(`${registry.host}/a:v1`, { registries: registriesFor(t, { breakMs: 1 }) });

/** What it was asked, with where chunks belong, in MiB. */
const asked = ({ requests }: TestRegistry): string =>
  requests
    .map(({ method, headers }) => {
      const [from, last] = headers["content-range"]?.split("-").map(Number) ?? [];
      if (from === undefined || last === undefined) return method;
      return `${method}:${Math.round(from / MIB)}-${Math.round(last / MIB)}`;
    })
    .join(" ");

const hasBlob = (registry: TestRegistry): boolean =>
  registry.blob("a", info.digest)?.equals(bytes) === true;

type Break = readonly [method: "PUT" | "PATCH", after: number];

/** A request of the method breaks off after so many MiB, in order. */
const RESUMED: readonly (readonly [string, readonly Quirk[], readonly Break[], string])[] = [
  ["as the spec says", [], [["PUT", 5]], "POST PUT GET PATCH:5-12 PUT HEAD"],
  ["it forgets the upload", ["loses-uploads"], [["PUT", 5]], "POST PUT GET HEAD POST PUT"],
  ["it cannot be asked", ["no-upload-status"], [["PUT", 5]], "POST PUT GET HEAD DELETE POST PUT"],
  [
    "it takes no chunks",
    ["no-chunks"],
    [["PUT", 5]],
    "POST PUT GET PATCH:5-12 HEAD DELETE POST PUT",
  ],
  [
    "it always says the same",
    ["stale-range"],
    [
      ["PUT", 5],
      ["PATCH", 2],
    ],
    "POST PUT GET PATCH:5-12 GET PATCH:5-12 GET PATCH:5-9 GET HEAD DELETE POST PUT",
  ],
  [
    "it was still taking it in",
    ["late-range"],
    [["PUT", 5]],
    "POST PUT GET PATCH:4-12 GET PATCH:5-12 PUT HEAD",
  ],
  [
    "it says that there is nothing",
    ["hides-progress"],
    [["PUT", 5]],
    "POST PUT GET PUT HEAD DELETE POST PUT",
  ],
  [
    "it takes small chunks only",
    ["small-chunks"],
    [["PUT", 5]],
    "POST PUT GET PATCH:5-12 GET PATCH:5-9 PATCH:9-12 PUT HEAD",
  ],
  [
    "the last chunk takes the place of the others",
    ["keeps-last-chunk"],
    [["PUT", 5]],
    "POST PUT GET PATCH:5-12 PUT HEAD POST PUT",
  ],
];
/** Before it is sent anew a blob is looked for if all of it had passed: how much the system had taken, nobody knows. */
const butLooks = (requests: string): string =>
  requests.replace(/ HEAD(?= DELETE)|(?<=GET) HEAD(?= POST)/g, "");

for (const [what, quirks, breaks, expected] of RESUMED)
  test(`where an upload breaks off and ${what}: ${expected}`, async (t) => {
    await using registry = await startRegistry({ quirks });
    for (const [method, after] of breaks)
      registry.fail(`${method} uploads`, { reset: after * MIB, times: 1 });
    await (await open(t, registry)).putBlob(blobToSend(), never);
    assert.ok(hasBlob(registry));
    assert.equal(butLooks(asked(registry)), butLooks(expected));
    assert.equal(registry.openUploads, 0);
    for (const quirk of quirks) assert.ok(registry.quirks.met.has(quirk), quirk);
  });

const PIECES = "PATCH:0-4 PATCH:4-8 PATCH:8-12 PUT";
/** What the first blob takes, one of known content; then what the next takes, and one of unknown content. */
const WAYS: readonly (readonly [
  string,
  readonly Quirk[],
  Fault | undefined,
  first: string,
  next: string,
  stream: string,
])[] = [
  ["as the spec says", [], undefined, "POST PUT", "POST PUT", "POST PATCH PUT"],
  [
    "in pieces of a proxy's liking",
    [],
    { status: 413, times: 1 },
    `POST PUT GET ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
  ],
  [
    "in small pieces",
    ["small-bodies"],
    undefined,
    `POST PUT GET ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
  ],
  [
    "in small pieces, each of them created",
    ["small-bodies", "patch-created"],
    undefined,
    `POST PUT GET ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
    `POST ${PIECES} HEAD`,
  ],
  [
    "in pieces of 5 MiB at least",
    ["large-chunks"],
    { status: 416, times: 1 },
    "POST PUT GET PATCH:0-5 PATCH:5-10 PATCH:10-12 PUT HEAD",
    "POST PATCH:0-5 PATCH:5-10 PATCH:10-12 PUT HEAD",
    "POST PATCH:0-5 PATCH:5-10 PATCH:10-12 PUT HEAD",
  ],
  [
    "by PATCH",
    ["wants-patch"],
    undefined,
    "POST PUT GET PATCH:0-12 PUT",
    "POST PATCH:0-12 PUT",
    "POST PATCH PUT",
  ],
  [
    "at once, or in small chunks",
    ["small-chunks"],
    undefined,
    "POST PUT",
    "POST PUT",
    "POST PATCH PUT",
  ],
  ["at once, never in chunks", ["no-chunks"], undefined, "POST PUT", "POST PUT", "POST PATCH PUT"],
];
for (const [what, quirks, fault, first, next, stream] of WAYS)
  test(`where blobs go ${what}: ${first}; then ${next}; a stream: ${stream}`, async (t) => {
    await using registry = await startRegistry({ quirks });
    if (fault !== undefined) registry.fail("PUT uploads", fault);
    const destination = await open(t, registry);
    for (const [blob, expected] of [
      [blobToSend(), first],
      [blobToSend(), next],
      [unknown(), stream],
    ] as const) {
      registry.requests.length = 0;
      registry.content.deleteBlob("a", info.digest);
      assert.deepEqual(await destination.putBlob(blob, never), info);
      assert.ok(hasBlob(registry));
      assert.equal(asked(registry), expected);
    }
    assert.equal(registry.openUploads, 0);
  });

test("where the last chunk took the place of the others, the next blob that breaks off begins anew at once", async (t) => {
  await using registry = await startRegistry({ quirks: ["keeps-last-chunk"] });
  const destination = await open(t, registry);
  for (const expected of [
    "POST PUT GET PATCH:5-12 PUT HEAD POST PUT",
    "POST PUT HEAD DELETE POST PUT",
  ]) {
    registry.requests.length = 0;
    registry.content.deleteBlob("a", info.digest);
    registry.fail("PUT uploads", { reset: 5 * MIB, times: 1 });
    await destination.putBlob(blobToSend(), never);
    assert.ok(hasBlob(registry));
    assert.equal(butLooks(asked(registry)), butLooks(expected));
  }
  assert.equal(registry.openUploads, 0);
});

for (const [what, needs, isLeft] of [
  ["may be taken up again", {}, 1],
  ["will not be taken up again", { beginsAnew: true }, 0],
] as const)
  test(`an upload that fails for now and ${what} is ${isLeft === 1 ? "left to a later attempt" : "given back"}`, async (t) => {
    await using registry = await startRegistry();
    const quirks = () => ({ uploads: needs, oneScopePerToken: false });
    const registries = new Registries(LOOPBACK_TOO, { breakMs: 1 }, {}, undefined, { quirks });
    t.after(() => registries[Symbol.asyncDispose]());
    const uploads = leftUploads();
    const destination = await openDestination(`${registry.host}/a:v1`, {
      registries,
      uploads,
    });
    registry.fail("PUT uploads", { reset: 5 * MIB });
    registry.fail("PATCH uploads", { reset: 0 });
    await assert.rejects(destination.putBlob(blobToSend(), never), {
      code: "registry_unavailable",
    });
    assert.deepEqual([registry.openUploads, uploads.left.size], [isLeft, isLeft]);
  });

for (const least of ["", "0", "-1", "1e9", "many", "99999999999999999999", String(2 ** 40)])
  test(`whatever a registry says of the least that a chunk must have (${least}), blobs arrive`, async (t) => {
    await using registry = await startRegistry();
    const destination = await open(t, registry);
    registry.fail("POST uploads", { headers: { "oci-chunk-min-length": least } });
    registry.fail("PUT uploads", { status: 413, times: 1 });
    for (let blob = 0; blob < 2; blob++) {
      registry.content.deleteBlob("a", info.digest);
      await destination.putBlob(blobToSend(), never);
      assert.ok(hasBlob(registry));
    }
  });

const QUAY = { uploads: { pieceBytes: 4 * MIB, above: 8 * MIB }, oneScopePerToken: false };

test("where it is known what is too much, nothing is refused", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-large-bodies"] });
  const registries = new Registries(LOOPBACK_TOO, {}, {}, undefined, { quirks: () => QUAY });
  t.after(() => registries[Symbol.asyncDispose]());
  const destination = await openDestination(`${registry.host}/a:v1`, { registries });
  await destination.putBlob(blobToSend(), never);
  assert.ok(hasBlob(registry));
  assert.equal(asked(registry), `POST ${PIECES} HEAD`);
  assert.equal(registry.quirks.met.size, 0);
});

test("where it is not known, it is learnt from one refusal", async (t) => {
  await using registry = await startRegistry({ quirks: ["no-large-bodies"] });
  const destination = await open(t, registry);
  await destination.putBlob(blobToSend(), never);
  assert.ok(hasBlob(registry));
  assert.equal(asked(registry), `POST PUT GET ${PIECES} HEAD`);
});

test("a registry that has something else than it was sent in pieces is not believed", async (t) => {
  await using registry = await startRegistry({ quirks: ["keeps-last-chunk", "small-bodies"] });
  const destination = await open(t, registry);
  for (const blob of [blobToSend(), unknown()])
    await assert.rejects(destination.putBlob(blob, never), { code: "size_mismatch" });
});

test("pieces that must be too large to be held are not: the stream goes as one", async (t) => {
  await using registry = await startRegistry();
  const least = {
    "oci-chunk-min-length": String(2 ** 40),
    location: "/v2/a/blobs/uploads/1?_state=0",
  };
  registry.fail("POST uploads", { status: 202, headers: least, times: 1 });
  registry.fail("PATCH uploads", { status: 413, times: 1 });
  const destination = await open(t, registry);
  await assert.rejects(destination.putBlob(unknown(), never), { code: "registry_unavailable" });
  registry.fail("POST uploads", { status: 202, headers: least, times: 1 });
  registry.fail("PATCH uploads", { status: 400, times: 1 });
  registry.requests.length = 0;
  await assert.rejects(destination.putBlob(unknown(), never), { code: "registry_refused" });
  assert.equal(asked(registry), "POST PATCH DELETE");
});
