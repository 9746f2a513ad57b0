import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { backoffMs, parkMs } from "../../src/worker/backoff.ts";
import { Totals } from "../../src/worker/totals.ts";

const artifact = (name: string, size: number) =>
  ({ digest: digestOf(Buffer.from(name)), size, mediaType: "x", kind: "layer", index: 0 }) as const;
const [a, b, c, d] = [artifact("a", 100), artifact("b", 10), artifact("c", 5), artifact("d", 1)];

test("totals add up whatever becomes of a blob, and a finished copy is at its total", () => {
  const totals = new Totals();
  totals.add({ type: "planned", artifacts: [a, b] });
  totals.add({ type: "planned", artifacts: [b, c, d] });
  assert.deepEqual(totals.progress, {
    bytesTotal: 116,
    bytesDone: 0,
    blobsTotal: 4,
    blobsCopied: 0,
    blobsReused: 0,
    blobsMounted: 0,
  });
  totals.add({ type: "blob-new", artifact: a });
  totals.add({ type: "blob-read", artifact: a, offset: 40, offsetUpdate: 40 });
  assert.equal(totals.progress.bytesDone, 40);
  totals.add({ type: "blob-done", artifact: a, offset: 100, bytesStored: 100 });
  totals.add({ type: "blob-skipped", artifact: b, reason: "exists" });
  totals.add({ type: "blob-skipped", artifact: c, reason: "mounted" });
  totals.add({ type: "blob-skipped", artifact: d, reason: "foreign" });
  assert.deepEqual(totals.progress, {
    bytesTotal: 116,
    bytesDone: 116,
    blobsTotal: 4,
    blobsCopied: 1,
    blobsReused: 2,
    blobsMounted: 1,
  });
  assert.equal(totals.bytesCopied, 100);
});

test("a job waits longer after each failure, never without bounds, and never less than the registry asked for", () => {
  const waits = [1, 2, 3, 4, 20].map((attempt) => backoffMs(attempt, new Error(), () => 1));
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 60_000]);
  assert.equal(
    backoffMs(1, new Error(), () => 0),
    500,
  );
  assert.equal(
    backoffMs(1, new CopyError("registry_rate_limited", "", { retryAfterMs: 20_000 }), () => 1),
    20_000,
  );
  assert.equal(
    backoffMs(1, new CopyError("registry_rate_limited", "", { retryAfterMs: 1e12 }), () => 1),
    30 * 60_000,
  );
});

test("a job is parked where its registry wants to be left alone, for a day in all", () => {
  const limited = (retryAfterMs?: number) =>
    new CopyError("registry_rate_limited", "", {
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  const unavailable = (status: number, retryAfterMs?: number) =>
    new CopyError("registry_unavailable", "", {
      upstream: { status },
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  const [MINUTE, DAY] = [60_000, 24 * 60 * 60_000];
  const table: readonly (readonly [
    error: CopyError,
    parkedMs: number,
    waits: number | undefined,
  ])[] = [
    [limited(20_000), 0, 20_000],
    [limited(), 0, 1000],
    [limited(), 5 * MINUTE, 30_000],
    [limited(), 60 * MINUTE, MINUTE],
    [limited(1e12), 0, 30 * MINUTE],
    [limited(20_000), DAY, undefined],
    [unavailable(503, 20_000), 0, 20_000],
    [unavailable(503), 0, undefined],
    [unavailable(502, 20_000), 0, undefined],
    [new CopyError("transfer_stalled", ""), 0, undefined],
  ];
  for (const [error, parkedMs, waits] of table)
    assert.equal(
      parkMs(error, parkedMs, () => 0),
      waits,
    );
  assert.equal(
    parkMs(limited(20_000), 0, () => 1),
    22_000,
  );
});
