import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../../src/copy/group.ts";

const never = new AbortController().signal;
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );

test("all tasks run, and the group ends with the last of them", async () => {
  const done: number[] = [];
  await group(
    never,
    [0, 1, 2].map((n) => async () => void done.push(n)),
  );
  assert.deepEqual(done, [0, 1, 2]);
});

test("the first failure aborts the others, and the group waits for them to end", async () => {
  let ended = false;
  const slow = async (signal: AbortSignal) => {
    await untilAborted(signal).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    ended = true;
  };
  await assert.rejects(group(never, [slow, () => Promise.reject(new Error("broken"))]), /broken/);
  assert.equal(ended, true);
});

test("of several failures the first task's is reported, whenever it came", async () => {
  const late = async (signal: AbortSignal) => {
    await untilAborted(signal).catch(() => {});
    throw new Error("first in order");
  };
  await assert.rejects(
    group(never, [late, () => Promise.reject(new Error("first in time"))]),
    /first in order/,
  );
});

test("a task that was only aborted does not hide the failure", async () => {
  await assert.rejects(
    group(never, [untilAborted, () => Promise.reject(new Error("the cause"))]),
    /the cause/,
  );
});

test("an abort from outside is thrown with its reason", async () => {
  const stop = new AbortController();
  const running = group(stop.signal, [untilAborted, untilAborted]);
  stop.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
});
