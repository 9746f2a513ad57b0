import assert from "node:assert/strict";
import { test } from "node:test";
import { Recent } from "../src/recent.ts";

test("what was used longest ago has to go for what comes", () => {
  const recent = new Recent<number>(2);
  assert.equal(recent.set("a", 1), undefined);
  assert.equal(recent.set("b", 2), undefined);
  assert.equal(recent.get("a"), 1);
  assert.equal(recent.set("c", 3), 2);
  assert.equal(recent.set("c", 4), undefined, "what is replaced makes its own room");
  assert.deepEqual([...recent.values()], [1, 4]);
  recent.delete("a");
  assert.equal(recent.get("a"), undefined);
  recent.clear();
  assert.deepEqual([...recent.values()], []);
});
