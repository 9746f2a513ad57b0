import assert from "node:assert/strict";
import { test } from "node:test";
import { GoStruct } from "../../src/image/go-struct.ts";

test("what is absent and what is null is a zero value", () => {
  for (const fields of [
    new GoStruct({}),
    new GoStruct({ a: null }),
    new GoStruct(null),
    new GoStruct(undefined),
  ]) {
    assert.equal(fields.has("a"), false);
    assert.deepEqual([fields.string("a"), fields.flag("a"), fields.integer("a")], ["", false, 0]);
    assert.equal(fields.timeOrZero("a"), "0001-01-01T00:00:00Z");
    for (const read of ["strings", "command", "stringMap", "set", "time", "structs"] as const)
      assert.equal(fields[read]("a"), undefined);
    assert.equal(fields.struct("a").string("b"), "");
  }
});

test("keys are found in any spelling, and two of one field are refused", () => {
  assert.equal(new GoStruct({ CREATED_by: "x" }).string("created_by"), "x");
  assert.equal(new GoStruct({ "o\u017f": "x" }).string("os"), "x");
  assert.throws(
    () => new GoStruct({ a: { os: 1, OS: 2 } }).struct("a"),
    /`a.OS` occurs in two spellings/,
  );
});

test("null among strings is an empty one", () => {
  const fields = new GoStruct({
    list: [null, "x"],
    map: { a: null, b: "y" },
    set: { a: null, b: { c: 1 } },
  });
  assert.deepEqual(fields.strings("list"), ["", "x"]);
  assert.deepEqual(fields.stringMap("map"), { a: "", b: "y" });
  assert.deepEqual(fields.set("set"), ["a", "b"]);
});

test("a command may be one string", () => {
  assert.deepEqual(new GoStruct({ Cmd: "sh" }).command("Cmd"), ["sh"]);
  assert.deepEqual(new GoStruct({ Cmd: ["sh", "-c"] }).command("Cmd"), ["sh", "-c"]);
});

test("a value of another type is refused by the name of its field", () => {
  const fields = new GoStruct({ a: 1.5, b: "x", c: [1], d: { e: 5 }, f: [{ g: 1 }] });
  for (const [read, words] of [
    [() => fields.string("a"), /`a` is not a string/],
    [() => fields.integer("a"), /`a` is not an integer/],
    [() => fields.flag("b"), /`b` is not true or false/],
    [() => fields.strings("c"), /`c` is not a list of strings/],
    [() => fields.command("c"), /`c` is not a list of strings/],
    [() => fields.stringMap("d"), /`d` is not an object of strings/],
    [() => fields.set("d"), /`d` is not an object of empty objects/],
    [() => fields.time("b"), /`b` is not a time/],
    [() => fields.struct("c"), /`c` is not an object/],
    [() => fields.struct("d").string("e"), /`d.e` is not a string/],
    [() => fields.structs("f")?.[0]?.string("g"), /`f\[0\].g` is not a string/],
    [() => fields.structs("d"), /`d` is not a list/],
  ] as const)
    assert.throws(read, words);
});
