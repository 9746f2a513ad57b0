// Blobs of which neither digest nor size are known before they are sent, as after a change of compression: PATCH, then PUT.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Bytes } from "../../src/bytes.ts";
import { digestOf } from "../../src/image/digest.ts";
import { inPieces } from "../support/bytes.ts";
import { startHost } from "../support/host.ts";
import { seededBytes } from "../support/images.ts";
import { never, openDestination, registriesFor } from "./docker-setup.ts";

const SESSION = "/v2/a/blobs/uploads/1?state=a%2Fb";

/** A registry that keeps nothing but what each method was sent, and answers PATCH with a status. */
async function startSink(t: TestContext, patched = 202) {
  const seen = new Map<string, { path: string; bytes: number; sum: string; headers: object }>();
  const host = await startHost(t, (request, response) => {
    const hash = createHash("sha256");
    let bytes = 0;
    const { method = "", url: path = "", headers } = request;
    request.on("data", (chunk: Buffer) => ((bytes += chunk.length), hash.update(chunk)));
    request.on("end", () => {
      seen.set(method, { path, bytes, sum: `sha256:${hash.digest("hex")}`, headers });
      const status = { POST: 202, PATCH: patched, PUT: 201, DELETE: 204 }[method] ?? 404;
      response
        .writeHead(status, { location: method === "POST" ? SESSION : `${SESSION}&more` })
        .end();
    });
  });
  const destination = await openDestination(`${host.address}/a:v1`, {
    registries: registriesFor(t),
  });
  return { seen, destination };
}

test("the bytes go with one PATCH, and a PUT at the session's next address says their digest", async (t) => {
  const { seen, destination } = await startSink(t);
  const bytes = seededBytes("changed", 1_000_000);
  const stored = await destination.putBlob(
    { info: { mediaType: "x" }, content: inPieces(bytes, 70_000) },
    never,
  );
  assert.deepEqual(stored, { mediaType: "x", digest: digestOf(bytes), size: bytes.length });
  const [patch, put] = [seen.get("PATCH"), seen.get("PUT")];
  assert.deepEqual([patch?.path, patch?.bytes, patch?.sum], [SESSION, bytes.length, stored.digest]);
  assert.deepEqual(
    [put?.path, put?.bytes],
    [`${SESSION}&more&digest=${encodeURIComponent(stored.digest)}`, 0],
  );
  const headers = patch?.headers as Record<string, string>;
  assert.equal(headers["content-type"], "application/octet-stream");
  assert.equal(headers["transfer-encoding"], "chunked");
});

for (const [status, code] of [
  [200, undefined],
  [201, undefined],
  [202, undefined],
  [204, undefined],
  [301, "registry_unavailable"],
  [400, "registry_refused"],
  [503, "registry_unavailable"],
] as const)
  test(`a PATCH answered with ${status} is ${code ?? "taken for progress"}`, async (t) => {
    const { seen, destination } = await startSink(t, status);
    const put = destination.putBlob(
      { info: { mediaType: "x" }, content: inPieces(Buffer.from("content"), 3) },
      never,
    );
    if (code === undefined) await put;
    else await assert.rejects(put, { code });
    assert.equal(seen.has("PUT"), code === undefined);
    assert.equal(
      seen.has("DELETE"),
      code !== undefined,
      "a session that leads nowhere is given back",
    );
  });

/** Bytes outside of V8's heap that somebody can still reach. What nobody can is the collector's affair, whenever that runs. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().arrayBuffers;
}

test("a blob of any size needs no more memory than a small one", async (t) => {
  const { seen, destination } = await startSink(t);
  const held: number[] = [];
  const [piece, pieces] = [Buffer.alloc(256 * 1024, "x"), 1_200];
  let lent = 0;
  let most = 0;
  let released = Promise.withResolvers<void>();
  const huge: Bytes = {
    pour: async (sink, signal) => {
      for (let i = 0; i < pieces; i++) {
        while (lent > 4) await released.promise;
        if (i % 100 === 50) held.push(heldBytes());
        signal.throwIfAborted();
        released = Promise.withResolvers();
        most = Math.max(most, ++lent);
        sink(piece, () => (lent--, released.resolve()));
      }
    },
  };
  const before = heldBytes();
  const stored = await destination.putBlob({ info: { mediaType: "x" }, content: huge }, never);
  assert.equal(stored.size, piece.length * pieces);
  assert.equal(seen.get("PATCH")?.sum, stored.digest);
  assert.ok(most <= 5, `${most} chunks were lent at once`);
  const more = Math.max(...held) - before;
  assert.ok(more < 64 * 1024 * 1024, `${more} bytes more`);
  const hoard = Array.from({ length: 320 }, () => Buffer.from(piece));
  assert.ok(heldBytes() - before > 64 * 1024 * 1024, `control: ${hoard.length} pieces are seen`);
});
