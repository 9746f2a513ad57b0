import assert from "node:assert/strict";
import { test } from "node:test";
import {
  goArray,
  goMap,
  goRaw,
  goString,
  goStringMap,
  goStruct,
  goTime,
  unlessEmpty,
} from "../../src/image/go-json.ts";

// what Go 1.22 and later write
for (const [text, expected] of [
  ["plain", '"plain"'],
  ["<a> & b", '"\\u003ca\\u003e \\u0026 b"'],
  ["\u2028\u2029", '"\\u2028\\u2029"'],
  ['"\\/', '"\\"\\\\/"'],
  ["\b\f\n\r\t\u0001\u007f", '"\\b\\f\\n\\r\\t\\u0001\u007f"'],
  ["é😀", '"é😀"'],
  ["\ud800x", '"\ufffdx"'],
] as const) {
  test(`the string ${JSON.stringify(text)} is written as Go writes it`, () =>
    assert.equal(goString(text), expected));
}

test("fields come in their order, less those that are left out", () => {
  const optional = (value?: string | readonly string[] | object) =>
    unlessEmpty(value, () => '"there"');
  assert.equal(
    goStruct({ b: "1", a: goArray(["2", "3"]), c: undefined, "os.version": goString("<") }),
    '{"b":1,"a":[2,3],"os.version":"\\u003c"}',
  );
  assert.deepEqual([undefined, "", [], {}].map(optional), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(["x", [""], { a: 1 }].map(optional), ['"there"', '"there"', '"there"']);
});

test("keys of maps come in the order of their bytes, also those that look like numbers", () => {
  const keys = ["b", "10", "9", "A", "\ufb01", "😀", "__proto__", ""];
  const written = goMap(keys.map((key) => [key, "0"]));
  assert.deepEqual(Object.keys(JSON.parse(written)).length, keys.length);
  assert.equal(written, '{"":0,"10":0,"9":0,"A":0,"__proto__":0,"b":0,"\ufb01":0,"😀":0}');
  assert.equal(goStringMap({ b: "<", a: "" }), '{"a":"","b":"\\u003c"}');
});

test("text that was kept is escaped, and otherwise stays", () =>
  assert.equal(goRaw('{"a":"\\u00e9\\/<","b":1.0}'), '{"a":"\\u00e9\\/\\u003c","b":1.0}'));

for (const [text, expected] of [
  ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"],
  ["2024-01-01T00:00:00.120000000Z", "2024-01-01T00:00:00.12Z"],
  ["2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00Z"],
  ["2024-01-01T00:00:00.1234567891Z", "2024-01-01T00:00:00.123456789Z"],
  ["2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00.5Z"],
  ["2024-01-01T1:00:00Z", "2024-01-01T01:00:00Z"],
  ["2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00Z"],
  ["2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00Z"],
  ["2024-01-01T00:00:00-07:30", "2024-01-01T00:00:00-07:30"],
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
  ["0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"],
  ["0099-12-31T00:00:00Z", "0099-12-31T00:00:00Z"],
  ["1900-02-29T00:00:00Z", undefined],
  ["2023-02-29T00:00:00Z", undefined],
  ["2024-04-31T00:00:00Z", undefined],
  ["2024-00-01T00:00:00Z", undefined],
  ["2024-13-01T00:00:00Z", undefined],
  ["2024-01-00T00:00:00Z", undefined],
  ["2024-01-01T24:00:00Z", undefined],
  ["2024-01-01T00:60:00Z", undefined],
  ["2024-01-01T00:00:60Z", undefined],
  ["2024-01-01T00:00:00+24:00", undefined],
  ["2024-01-01t00:00:00z", undefined],
  ["2024-01-01T00:00:00", undefined],
  ["2024-1-01T00:00:00Z", undefined],
  ["12024-01-01T00:00:00Z", undefined],
  ["", undefined],
] as const) {
  test(`the time ${text || "that is empty"} is ${expected ?? "none"} to Go`, () =>
    assert.equal(goTime(text), expected));
}
