import assert from "node:assert/strict";
import { test } from "node:test";
import { afterBreak, nextTry } from "../../src/transport/docker/next-try.ts";

const TABLE: readonly (readonly [
  inVain: number,
  retryAfterMs: number | undefined,
  delay: number | undefined,
])[] = [
  [0, undefined, 62.5],
  [1, undefined, 500],
  [2, undefined, 1_000],
  [3, undefined, 2_000],
  [6, undefined, 16_000],
  [7, undefined, 30_000],
  [8, undefined, 30_000],
  [9, undefined, undefined],
  [0, 1_000, 1_000],
  [6, 1_000, 16_000],
  [1, 30_000, 30_000],
  [0, 30_001, undefined],
  [9, 1, undefined],
];
for (const [inVain, retryAfterMs, delay] of TABLE)
  test(`after ${inVain} breaks in vain${retryAfterMs === undefined ? "" : `, asked to wait ${retryAfterMs} ms`}: ${delay === undefined ? "given up" : `${delay} ms`}`, () => {
    assert.equal(nextTry({ inVain, retryAfterMs }, 500, 0.5), delay);
  });

test("a pause varies by a quarter, but is never shorter than asked for", () => {
  assert.equal(nextTry({ inVain: 1 }, 1000, 0), 750);
  assert.equal(nextTry({ inVain: 1 }, 1000, 1), 1250);
  assert.equal(nextTry({ inVain: 1, retryAfterMs: 1000 }, 1000, 0), 1000);
});

test("breaks of a transfer that moves are not counted, and forgive those before", () => {
  assert.deepEqual(
    [0, 1, 64 * 1024 - 1, 64 * 1024, 10 ** 9].map((moved) => afterBreak(3, moved)),
    [4, 4, 4, 0, 0],
  );
});
