import assert from "node:assert/strict";
import { test } from "node:test";
import { Crc64 } from "../../src/compression/chunked/crc64.ts";
import { Rolling } from "../../src/compression/chunked/rolling.ts";
import { checkFor } from "../../src/compression/xz/checks.ts";
import { mixedBytes, randomBytes } from "../support/compressed.ts";

interface Found {
  readonly end: number;
  readonly isHole: boolean;
}

/** Written straight from the semantics (4.7), on all of the content at once: runs of zeros first, then the checksum over what is between. */
function expectedCuts(content: Buffer): Found[] {
  const cuts: Found[] = [];
  const window: number[] = Array.from({ length: 64 }, () => 0);
  let s1 = 64 * 31;
  let s2 = 64 * 63 * 31;
  const roll = (byte: number): boolean => {
    const drop = window.shift() as number;
    window.push(byte);
    s1 = (s1 + byte - drop) >>> 0;
    s2 = (s2 + s1 - 64 * (drop + 31)) >>> 0;
    return (s2 & 0xffff) === 0xffff;
  };
  for (let at = 0; at < content.length;) {
    let zeros = 0;
    while (content[at + zeros] === 0) zeros++;
    if (zeros >= 1024) {
      cuts.push({ end: at, isHole: false });
      for (let i = 0; i < zeros; i++) roll(0);
      at += zeros;
      cuts.push({ end: at, isHole: true });
      continue;
    }
    for (const end = at + Math.max(zeros, 1); at < end; at++)
      if (roll(content[at] as number)) cuts.push({ end: at + 1, isHole: false });
  }
  cuts.push({ end: content.length, isHole: false });
  return withoutEmpty(cuts);
}

/** A cut where the last one was says nothing. */
const withoutEmpty = (cuts: readonly Found[]): Found[] =>
  cuts.filter(({ end }, i) => end !== (cuts[i - 1]?.end ?? 0));

function foundCuts(content: Buffer, piece: number): Found[] {
  const cuts: Found[] = [];
  const rolling = new Rolling((end, isHole) => cuts.push({ end, isHole }));
  for (let at = 0; at < content.length; at += piece) {
    const before = cuts.length;
    const { settled } = rolling;
    rolling.scan(content.subarray(at, at + piece));
    for (const { end } of cuts.slice(before)) assert.ok(end >= settled, "cut where it was settled");
  }
  rolling.end();
  return withoutEmpty(cuts);
}

const zeros = (length: number): Buffer => Buffer.alloc(length);
const CONTENTS = [
  ["random bytes", randomBytes(1_000_000)],
  ["mixed bytes", mixedBytes(1_000_000)],
  ["few different bytes", randomBytes(700_000).map((byte) => byte & 1) as Buffer],
  ["zeros only", zeros(5000)],
  ["1,023 zeros only", zeros(1023)],
  ["1,024 zeros only", zeros(1024)],
  ["zeros at the start", Buffer.concat([zeros(1500), randomBytes(3000)])],
  ["zeros at the end", Buffer.concat([randomBytes(3000), zeros(1500)])],
  [
    "1,023 zeros between",
    Buffer.concat([randomBytes(300_000), zeros(1023), randomBytes(300_000, 2)]),
  ],
  [
    "1,024 zeros between",
    Buffer.concat([randomBytes(300_000), zeros(1024), randomBytes(300_000, 2)]),
  ],
  [
    "zeros between, twice",
    Buffer.concat([zeros(1024), Buffer.from("a"), zeros(1024), Buffer.from("b")]),
  ],
  ["one byte", Buffer.from("a")],
] as const;

for (const [what, content] of CONTENTS)
  test(`${what} are cut where they should be, in whatever pieces they come`, () => {
    const expected = expectedCuts(Buffer.from(content));
    for (const piece of [1, 63, 1000, 4096, content.length])
      assert.deepEqual(foundCuts(Buffer.from(content), piece), expected);
  });

test("random bytes are cut every 64 KiB or so", () => {
  const { length } = foundCuts(randomBytes(8 * 1024 * 1024, 9), 65_536);
  assert.ok(length > 60 && length < 250, String(length));
});

test("the checksums are those of their catalogues", () => {
  const digits = Buffer.from("123456789");
  const iso = new Crc64();
  iso.update(digits.subarray(0, 4));
  iso.update(digits.subarray(4));
  assert.equal(iso.digest().toString("hex"), "b90956c775a41001");
  const xz = checkFor(4);
  xz?.update(digits.subarray(0, 4));
  xz?.update(digits.subarray(4));
  assert.equal(
    Buffer.from(xz?.digest() ?? [])
      .reverse()
      .toString("hex"),
    "995dc9bbdf1939fa",
  );
});
