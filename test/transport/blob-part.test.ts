import assert from "node:assert/strict";
import { test } from "node:test";
import { judgePart } from "../../src/transport/docker/blob-part.ts";
import { parseContentRange } from "../../src/transport/docker/content-range.ts";

const RANGES: readonly (readonly [string | undefined, readonly unknown[] | undefined])[] = [
  ["bytes 0-9/10", [0, 9, 10]],
  ["bytes 5-9/10", [5, 9, 10]],
  ["Bytes 5-9/*", [5, 9, undefined]],
  [
    "bytes 999999999999998-999999999999998/999999999999999",
    [999999999999998, 999999999999998, 999999999999999],
  ],
  ["bytes 0-10/10", undefined],
  ["bytes 5-4/10", undefined],
  ["bytes */10", undefined],
  ["bytes 5-/10", undefined],
  ["bytes -5/10", undefined],
  ["bytes 5-9", undefined],
  ["bytes 5-9/", undefined],
  ["bytes 5-9/1e3", undefined],
  ["bytes 0x5-9/10", undefined],
  ["bytes +5-9/10", undefined],
  ["bytes  5-9/10", undefined],
  ["bytes 5 - 9/10", undefined],
  ["bytes=5-9/10", undefined],
  ["items 5-9/10", undefined],
  ["bytes 1-1000000000000000/1000000000000001", undefined],
  ["", undefined],
  [undefined, undefined],
];
for (const [text, expected] of RANGES)
  test(`Content-Range ${JSON.stringify(text)}`, () => {
    const range = parseContentRange(text);
    assert.deepEqual(range && [range.first, range.last, range.size], expected);
  });

const wanted = { at: 40, size: 100, etag: '"a"' };
const span = { ...wanted, to: 60 };
const part = (range: string, more: object = {}) => ({
  status: 206,
  headers: { "content-range": range, ...more },
});
const FINE: readonly (readonly [string, Parameters<typeof judgePart>, number])[] = [
  [
    "all of it, asked for",
    [
      { status: 200, headers: {} },
      { at: 0, size: 100, etag: undefined },
    ],
    0,
  ],
  ["the rest", [part("bytes 40-99/100", { "content-length": "60" }), wanted], 0],
  ["a bit of the rest", [part("bytes 40-49/100", { "content-length": "10" }), wanted], 0],
  ["the rest of nobody knows how much", [part("bytes 40-99/*"), wanted], 0],
  [
    "all of it, though the rest was asked for",
    [{ status: 200, headers: { "content-length": "100" } }, wanted],
    40,
  ],
  ["the bytes of a span", [part("bytes 40-59/100"), span], 0],
  ["some of the bytes of a span", [part("bytes 40-49/100"), span], 0],
  ["the bytes of a span of nobody knows how much", [part("bytes 40-59/*"), span], 0],
  ["all of it, though a span was asked for", [{ status: 200, headers: {} }, span], 40],
  ["the first bytes", [part("bytes 0-59/100"), { ...span, at: 0 }], 0],
  ["the same ETag", [part("bytes 40-99/100", { etag: '"a"' }), wanted], 0],
  ["a weak ETag, which says nothing", [part("bytes 40-99/100", { etag: 'W/"b"' }), wanted], 0],
  [
    "a length of what is encoded, which says nothing",
    [
      { status: 200, headers: { "content-length": "9", "content-encoding": "gzip" } },
      { ...wanted, at: 0 },
    ],
    0,
  ],
];
for (const [what, [answer, asked], skip] of FINE)
  test(`${what}: ${skip} bytes are dropped`, () => {
    assert.equal(judgePart(answer, asked), skip);
  });

const WRONG: readonly (readonly [string, Parameters<typeof judgePart>])[] = [
  ["more than a span", [part("bytes 40-60/100"), span]],
  ["less than a span, of nobody knows how much", [part("bytes 40-58/*"), span]],
  ["no Content-Range", [{ status: 206, headers: {} }, wanted]],
  ["a part from another byte on", [part("bytes 41-99/100"), wanted]],
  ["a part from the first byte on", [part("bytes 0-99/100"), wanted]],
  ["a part of another size", [part("bytes 40-100/101"), wanted]],
  ["a last part that ends elsewhere", [part("bytes 40-98/*"), wanted]],
  [
    "a body of another length than its part",
    [part("bytes 40-99/100", { "content-length": "61" }), wanted],
  ],
  [
    "several parts",
    [part("bytes 40-99/100", { "content-type": "multipart/byteranges; boundary=x" }), wanted],
  ],
  ["a part that is encoded", [part("bytes 40-99/100", { "content-encoding": "gzip" }), wanted]],
  [
    "all of it, encoded, though the rest was asked for",
    [{ status: 200, headers: { "content-encoding": "gzip" } }, wanted],
  ],
  ["other content", [part("bytes 40-99/100", { etag: '"b"' }), wanted]],
  ["other content, whole", [{ status: 200, headers: { etag: '"b"' } }, wanted]],
  ["a part that nobody asked for", [part("bytes 0-99/100"), { ...wanted, at: 0 }]],
];
for (const [what, [answer, asked]] of WRONG)
  test(`${what} is no answer, and may be one later`, () => {
    const verdict = judgePart(answer, asked);
    assert.equal(typeof verdict === "object" && verdict.code, "registry_unavailable");
  });

test("all of a blob of another size than its descriptor's is refused", () => {
  for (const at of [0, 40]) {
    const verdict = judgePart(
      { status: 200, headers: { "content-length": "101" } },
      { ...wanted, at },
    );
    assert.equal(typeof verdict === "object" && verdict.code, "size_mismatch");
  }
});
