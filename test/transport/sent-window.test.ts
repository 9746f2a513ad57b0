import assert from "node:assert/strict";
import { test } from "node:test";
import { Losses } from "../../src/transport/docker/upload/losses.ts";
import { SentWindows } from "../../src/transport/docker/upload/sent-window.ts";
import { Slabs, type Slab } from "../../src/transport/docker/wire/slabs.ts";
import { seededBytes } from "../support/images.ts";

const MIB = 1024 * 1024;
const bytes = seededBytes("sent", 12 * MIB);

/** Slabs, and how many of them are in use. */
class CountedSlabs extends Slabs {
  taken = 0;

  override take(size: number): Slab {
    this.taken++;
    return super.take(size);
  }

  override giveBack(slab: Slab): void {
    this.taken--;
    slab.bytes.fill(0);
    super.giveBack(slab);
  }
}

function windows(all: number, most: number) {
  const slabs = new CountedSlabs();
  return { slabs, windows: new SentWindows(slabs, { all, most }) };
}

type Window = ReturnType<SentWindows["open"]>;

/** Keeps the bytes of a span in chunks of this length. */
function keep(window: Window, from: number, to: number, length: number): void {
  for (let at = from; at < to; at += length)
    window.keep(at, bytes.subarray(at, Math.min(to, at + length)));
}

/** What is lent, and its ends. */
function lend(window: Window, from: number, to: number) {
  const chunks: Buffer[] = [];
  const releases: (() => void)[] = [];
  window.lend({ from, to }, (chunk, release) => {
    chunks.push(chunk);
    releases.push(release);
  });
  return { chunks, release: () => releases.forEach((each) => each()) };
}

for (const length of [1, 999, MIB - 1, MIB, 3 * MIB])
  test(`the last of what came in chunks of ${length} is kept, byte for byte`, () => {
    const { windows: all, slabs } = windows(4 * MIB, 4 * MIB);
    using window = all.open();
    const size = length === 1 ? 5_000 : 10 * MIB + 77;
    assert.equal(window.since(0), 0);
    keep(window, 0, size, length);
    const first = window.since(size);
    assert.ok(first <= Math.max(0, size - 3 * MIB), `from ${first}`);
    assert.ok(slabs.taken <= 4);
    for (const [from, to] of [
      [first, size],
      [size - 1, size],
      [first + 1, first + 2],
      [first + 100, size - 100],
    ] as const) {
      const { chunks, release } = lend(window, from, to);
      assert.ok(Buffer.concat(chunks).equals(bytes.subarray(from, to)));
      release();
    }
  });

test("what is older than the window, or beyond it, is not there", () => {
  using window = windows(2 * MIB, 2 * MIB).windows.open();
  keep(window, 100, 200, 10);
  assert.deepEqual(
    [150, 200, 201, 100, 50].map((end) => window.since(end)),
    [100, 100, 201, 100, 50],
  );
});

test("bytes that come again change nothing; after a gap all begins anew", () => {
  using window = windows(2 * MIB, 2 * MIB).windows.open();
  keep(window, 100, 200, 10);
  window.keep(50, bytes.subarray(50, 60));
  window.keep(150, bytes.subarray(150, 160));
  assert.equal(window.since(200), 100);
  assert.ok(Buffer.concat(lend(window, 100, 200).chunks).equals(bytes.subarray(100, 200)));
  keep(window, 300, 310, 10);
  assert.equal(window.since(310), 300);
});

test("what is lent stays as it was while new bytes come, and is given back after that", () => {
  const { windows: all, slabs } = windows(2 * MIB, 2 * MIB);
  const window = all.open();
  keep(window, 0, 2 * MIB, MIB);
  const { chunks, release } = lend(window, 0, 2 * MIB);
  keep(window, 2 * MIB, 5 * MIB, MIB);
  assert.equal(slabs.taken, 4);
  assert.ok(Buffer.concat(chunks).equals(bytes.subarray(0, 2 * MIB)));
  window[Symbol.dispose]();
  assert.equal(slabs.taken, 2, "the end of the window is not the end of what is lent");
  release();
  release();
  assert.equal(slabs.taken, 0);
});

test("the windows of a process share what there is, and one alone has no more than it may", () => {
  const { windows: all, slabs } = windows(8 * MIB, 6 * MIB);
  const open = [all.open(), all.open(), all.open(), all.open()];
  for (const window of open) keep(window, 0, 5 * MIB, MIB);
  assert.equal(slabs.taken, 8);
  for (const window of open.splice(1)) window[Symbol.dispose]();
  assert.equal(slabs.taken, 2);
  const [left] = open as [Window];
  keep(left, 5 * MIB, 12 * MIB, MIB);
  assert.equal(left.since(12 * MIB), 6 * MIB);
});

test("a registry is one where uploads break for an hour after it was so", () => {
  let now = 0;
  const losses = new Losses(() => now);
  assert.equal(losses.has("a"), false);
  losses.add("a");
  for (const [minutes, a, b] of [
    [0, true, false],
    [59, true, false],
    [60, false, false],
  ] as const) {
    now = minutes * 60_000;
    assert.deepEqual([losses.has("a"), losses.has("b")], [a, b], `after ${minutes} minutes`);
  }
});
