import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  afterBytes,
  msLeft,
  StallError,
  StallWatch,
} from "../../src/transport/docker/stall-watch.ts";

const KIB = 1024;
const RULE = { stallMs: 60_000, stallBytes: 64 * KIB };

/** A watch whose clock is moved by hand. */
function watchIn(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  const watch = new StallWatch(RULE, "receiving", () => now);
  return {
    watch,
    pass: (ms: number) => {
      now += ms;
      t.mock.timers.tick(ms);
      return watch.signal.aborted;
    },
  };
}

test("the time begins anew with every 64 KiB, and not with every byte", () => {
  const begun = { since: 0, moved: 0 };
  assert.deepEqual(afterBytes(begun, 1, 59_000, RULE), { since: 0, moved: 1 });
  assert.deepEqual(afterBytes(begun, 64 * KIB, 59_000, RULE), { since: 59_000, moved: 0 });
  const half = afterBytes(begun, 32 * KIB, 10_000, RULE);
  assert.deepEqual(afterBytes(half, 32 * KIB, 20_000, RULE), { since: 20_000, moved: 0 });
  assert.equal(msLeft({ since: 10_000, moved: 5 }, 30_000, RULE), 40_000);
});

test("nothing at all, and a byte a second, end after a minute", (t) => {
  const { watch, pass } = watchIn(t);
  watch.start();
  for (let second = 1; second < 60; second++) {
    watch.moved(1);
    assert.equal(pass(1000), false, `after ${second} s`);
  }
  assert.equal(pass(1000), true);
  assert.ok(watch.signal.reason instanceof StallError);
});

test("a slow line that brings 64 KiB a minute goes on, and ends a minute after it stops", (t) => {
  const { watch, pass } = watchIn(t);
  watch.start();
  for (let minute = 0; minute < 60; minute++) {
    assert.equal(pass(59_000), false);
    watch.moved(64 * KIB);
  }
  assert.equal(pass(59_999), false);
  assert.equal(pass(1), true);
});

test("time in which it is held back does not count", (t) => {
  const { watch, pass } = watchIn(t);
  assert.equal(pass(600_000), false, "it was not started");
  watch.start();
  assert.equal(pass(50_000), false);
  watch.rest();
  assert.equal(pass(600_000), false);
  watch.start();
  assert.equal(pass(9_999), false);
  assert.equal(pass(1), true);
});

test("what has ended does not stall, and what has no rule neither", (t) => {
  const { watch, pass } = watchIn(t);
  watch.start();
  watch.end();
  assert.equal(pass(600_000), false);
  const free = new StallWatch(undefined, "sending");
  free.start();
  assert.equal(pass(600_000) || free.signal.aborted, false);
});

test("bytes that show only together have the time that the slowest line needs for them, and what had moved before", () => {
  for (const [moved, unseen, minutes] of [
    [0, 1, 1],
    [0, 64 * KIB, 1],
    [1, 64 * KIB, 2],
    [0, 64 * KIB + 1, 2],
    [0, 1024 * KIB, 16],
    [63 * KIB, 1024 * KIB, 17],
  ] as const)
    assert.equal(
      msLeft({ since: 5, moved }, 5, RULE, unseen),
      minutes * 60_000,
      `${moved} ${unseen}`,
    );
});

test("a line that moves just enough never stalls, however much of it shows at a time", (t) => {
  const { watch, pass } = watchIn(t);
  for (const kib of [1024, 64, 1, 63, 64, 256, 1024, 64]) {
    watch.waitsFor(kib * KIB);
    // The slowest line: 64 KiB in each minute.
    for (let left = kib; left > 0; left -= 64)
      assert.equal(pass(Math.min(60_000, left * 937)), false, `${left} of ${kib} KiB`);
    watch.moved(kib * KIB);
    watch.waitsFor(0);
    assert.equal(pass(600_000), false, "there is nothing to move");
  }
});

test("the time of little ends before that of much, whatever was waited for first", (t) => {
  const { watch, pass } = watchIn(t);
  watch.waitsFor(1024 * KIB);
  assert.equal(pass(1_000), false);
  watch.moved(1024 * KIB);
  watch.waitsFor(64 * KIB);
  assert.equal(pass(59_999), false);
  assert.equal(pass(1), true);
  watch.waitsFor(1);
  assert.equal(pass(600_000), true, "it is over");
});
