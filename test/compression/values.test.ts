import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { detectCompression } from "../../src/compression/detect.ts";
import { LEVELS, ownLevelOf } from "../../src/compression/levels.ts";
import { faultOf } from "../../src/compression/limits.ts";
import { frameLength, zstdFrame } from "../../src/compression/zstd-frame.ts";
import { mixedBytes, randomBytes } from "../support/compressed.ts";

const HEADS = [
  ["gzip", "1f8b0800", "gzip"],
  ["gzip, three bytes of it", "1f8b08", "gzip"],
  ["gzip with another method", "1f8b0900", undefined],
  ["bzip2", "425a6839", "bzip2"],
  ["xz", "fd377a585a000004", "xz"],
  ["xz, cut short", "fd377a585a", undefined],
  ["zstd", "28b52ffd24", "zstd"],
  ["a skippable zstd frame", "502a4d1804000000", undefined],
  ["a tar", "7573722f6c69622f", undefined],
  ["nothing", "", undefined],
] as const;

for (const [what, hex, expected] of HEADS)
  test(`${what} is detected as ${expected ?? "not compressed"}`, () => {
    assert.equal(detectCompression(Buffer.from(hex, "hex")), expected);
  });

const OWN_LEVELS = [
  ["gzip", undefined, 2],
  ["gzip", 1, 1],
  ["gzip", 9, 9],
  ["zstd", undefined, 3],
  ["zstd", 1, 2],
  ["zstd", 2, 2],
  ["zstd", 3, 3],
  ["zstd", 5, 3],
  ["zstd", 6, 7],
  ["zstd", 9, 7],
  ["zstd", 10, 12],
  ["zstd", 22, 12],
  ["zstd:chunked", undefined, 7],
  ["zstd:chunked", 3, 3],
] as const;

for (const [to, level, own] of OWN_LEVELS)
  test(`level ${level ?? "unsaid"} of ${to} is the library's ${own}`, () => {
    assert.equal(ownLevelOf(to, level), own);
  });

test("every level that may be asked for has one of the library's", () => {
  for (const to of ["gzip", "zstd", "zstd:chunked"] as const)
    for (let level = LEVELS[to].min, last = 0; level <= LEVELS[to].max; level++) {
      const own = ownLevelOf(to, level);
      assert.ok(own >= last, `${to} ${level}`);
      last = own;
    }
});

const MIB = 1024 * 1024;
const LIMITS = { bytes: 1000 * MIB, ratio: 2000, freeBytes: 64 * MIB };
const AMOUNTS = [
  ["a little", 100, 1000, false],
  ["zeros, as long as they are few", 100, 64 * MIB, false],
  ["zeros, when they are many", 100, 64 * MIB + 1, true],
  ["much, at a ratio that is possible", MIB, 900 * MIB, false],
  ["more than is allowed of one layer", 500 * MIB, 1000 * MIB + 1, true],
] as const;

for (const [what, read, written, isTooMuch] of AMOUNTS)
  test(`${what}: ${isTooMuch ? "too much" : "within the limits"}`, () => {
    assert.equal(faultOf(read, written, LIMITS) !== undefined, isTooMuch);
  });

test("the length of a zstd frame is told by its blocks", () => {
  const contents = [
    Buffer.alloc(0),
    Buffer.alloc(5 * MIB),
    mixedBytes(700_000),
    randomBytes(300_000),
  ];
  for (const content of contents) {
    const frame = zstdFrame(content, 3);
    assert.equal(frameLength(frame), frame.length);
    assert.equal(frameLength(Buffer.concat([frame, frame])), frame.length);
    const plain = zstdCompressSync(content);
    assert.equal(frameLength(plain), plain.length);
  }
});

test("a zstd frame that is not closed has no length", () => {
  const frame = zstdFrame(randomBytes(300_000), 3);
  assert.equal(frameLength(frame.subarray(0, -100_000)), undefined);
  assert.notEqual(frameLength(frame.subarray(0, -1)), frame.length - 1);
  assert.ok(gzipSync(frame).length > 0);
});
