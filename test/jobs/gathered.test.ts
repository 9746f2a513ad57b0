import assert from "node:assert/strict";
import { test } from "node:test";
import { gathered } from "../../src/jobs/gathered.ts";

function counted(most: number) {
  const calls: (readonly number[])[] = [];
  const double = gathered(most, async (all: readonly number[]) => {
    calls.push(all);
    if (all.includes(13)) throw new Error("unlucky");
    return all.map((each) => 2 * each);
  });
  return { calls, double };
}

test("what is asked in one turn is one call, and each gets his answer", async () => {
  const { calls, double } = counted(10);
  assert.deepEqual(await Promise.all([1, 2, 3].map(double)), [2, 4, 6]);
  assert.equal(await double(4), 8);
  assert.deepEqual(calls, [[1, 2, 3], [4]]);
});

test("a call takes no more than it may", async () => {
  const { calls, double } = counted(2);
  assert.deepEqual(await Promise.all([1, 2, 3].map(double)), [2, 4, 6]);
  assert.deepEqual(calls, [[1, 2], [3]]);
});

test("a call that fails fails for all that it was for", async () => {
  const { double } = counted(2);
  const all = await Promise.allSettled([1, 13, 3].map(double));
  assert.deepEqual(
    all.map(({ status }) => status),
    ["rejected", "rejected", "fulfilled"],
  );
});
