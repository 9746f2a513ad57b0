import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf } from "./document.ts";

const section = (title: string, text = "text") => ({ title, text });
const titlesIn = (document: string): string[] =>
  Array.from(document.matchAll(/^## (.*)$/gm), ([, title = ""]) => title);

test("a run replaces its own sections of docs/interop.md, and leaves the others", () => {
  const old = documentOf("", [section("skopeo 1.9.3", "old"), section("Read by others", "kept")]);
  const now = documentOf(old, [section("skopeo 1.9.3", "new")]);
  assert.match(now, /## skopeo 1\.9\.3\n\nnew\n/);
  assert.match(now, /## Read by others\n\nkept\n/);
  assert.ok(!now.includes("old"));
  assert.equal(documentOf(now, []), now);
});

test("the newest skopeo comes first, and what is read by others last", () => {
  const titles = ["skopeo 1.22.0", "skopeo 1.22.0, with a docker engine", "skopeo 1.9.3"];
  const all = [...titles, "Options that skopeo does not have", "Read by others"];
  assert.deepEqual(
    titlesIn(
      documentOf(
        "",
        all.toReversed().map((title) => section(title)),
      ),
    ),
    all,
  );
});
