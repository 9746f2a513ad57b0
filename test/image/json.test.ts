import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson, rawMembers } from "../../src/image/json.ts";
import { processorMs } from "../support/time.ts";

const parse = (text: string | Buffer) =>
  parseJson(typeof text === "string" ? Buffer.from(text) : text);

test("an ordinary document is what JSON.parse makes of it", () => {
  const text = '{"a":[1,-2.5,1e3,true,null,"x\\"y\\u0041"],"b":{"A":1},"":0}';
  assert.deepEqual(parse(text), JSON.parse(text));
});

for (const [what, text] of [
  ["a key that occurs twice", '{"layers":[],"layers":[1]}'],
  ["a key in two spellings", '{"layers":[],"Layers":[1]}'],
  ["a key that only Go takes for another", '{"layers":[],"layer\u017f":[1]}'],
  ["another one", '{"kind":1,"\u212aind":2}'],
  ["a key hidden by an escape", '{"layers":[],"\\u006cayers":[1]}'],
  ["a duplicate deep inside", '{"a":[{"b":{"c":1,"c":2}}]}'],
  ["an integer that would be rounded", '{"size":9007199254740993}'],
  ["something after the document", "{} {}"],
  ["a byte order mark", "\ufeff{}"],
  ["half a document", '{"a":'],
  ["a string that does not end", '{"a'],
  ["nesting without end", "[".repeat(100_000)],
  ["many tokens", `[${"{},".repeat(600_000)}{}]`],
] as const) {
  test(`${what} is refused, and quickly`, () => {
    assert.ok(processorMs(() => assert.throws(() => parse(text))) < 500);
  });
}

test("bytes that are not UTF-8 are refused", () => {
  assert.throws(() => parse(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])));
});

test("__proto__ is a key like any other and pollutes nothing", () => {
  parse('{"__proto__":{"polluted":true}}');
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("keys that are free may differ in their spelling alone, and still not occur twice", () => {
  const read = (text: string) => parseJson(Buffer.from(text), { keys: "exact" });
  assert.deepEqual(read('{"a":1,"A":2}'), { a: 1, A: 2 });
  assert.throws(() => read('{"a":1,"\\u0061":2}'), /occurs twice/);
});

test("where integers are meant, a number that is written as none is Infinity", () => {
  const read = (text: string) => parseJson(Buffer.from(text), { numbers: "integers" });
  assert.deepEqual(read('{"a":[1e3,1.0,-5,1],"b":"1.0"}'), {
    a: [Infinity, Infinity, -5, 1],
    b: "1.0",
  });
  for (const no of ["1.", ".5", "01.5", "1e", "1.5.5", "1e+"])
    assert.throws(() => read(`[${no}]`), SyntaxError, no);
});

test("members are kept as text, without blanks", () => {
  const text =
    ' { "a" : { "b" : [ 1.0 , "x y" , {} ] } ,\n"c":"d:,}\\"" ,"e" : null, "\\u0066":-0,"g":[] } ';
  assert.deepEqual(Object.fromEntries(rawMembers(text)), {
    a: '{"b":[1.0,"x y",{}]}',
    c: '"d:,}\\""',
    e: "null",
    f: "-0",
    g: "[]",
  });
  assert.equal(rawMembers("{}").size, 0);
});
