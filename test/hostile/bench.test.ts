// What the bench of this folder is worth: honest images pass it, and it sees what is there to be seen.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makeImage, makeList } from "../support/images.ts";
import { DESTINATIONS, useBench } from "./bench.ts";
import { assertClean, shownAt } from "./destinations.ts";
import { honest, SOURCES } from "./sources.ts";

const bench = useBench();
const three = makeList(
  ["amd64", "arm64", "s390x"].map((architecture) =>
    makeImage({ platform: { os: "linux", architecture }, seed: architecture }),
  ),
);

for (const kind of SOURCES) {
  test(`an honest image from ${kind} arrives at every destination, and is seen there`, async () => {
    for (const [i, destination] of DESTINATIONS.entries()) {
      const image = makeImage({ seed: `${kind} ${i}` });
      const reference = bench().destination(destination);
      const seen = await shownAt(reference, bench());
      assert.equal(seen === "nothing", destination.endsWith("fresh"));
      const source = await bench().place(kind, honest(image));
      const { digest } = await bench().copy(source, reference);
      assert.equal(digest, image.digest);
      assert.notEqual(await shownAt(reference, bench()), seen);
      await assertClean(bench());
    }
  });

  test(`an honest list from ${kind} arrives whole`, async () => {
    const options = { imageListSelection: "all" } as const;
    const source = await bench().place(kind, honest(three));
    const { digest } = await bench().copy(source, bench().destination(), { options });
    assert.equal(digest, three.digest);
  });

  test(`a refusal that did not come is told, and so is one for another reason, from ${kind}`, async () => {
    const good = await bench().place(kind, honest(makeImage()));
    const expected = { code: "manifest_invalid" } as const;
    await assert.rejects(bench().assertRefused(good, expected), /Missing expected rejection/);
    const empty = await bench().place(kind, { ...honest(makeImage()), blobs: new Map() });
    await assert.rejects(bench().assertRefused(empty, expected), /source_not_found/);
  });
}

test("what is unfinished is seen", async () => {
  const temporary = join(bench().dataDir, "half");
  await mkdir(temporary);
  await writeFile(join(temporary, ".123.tmp"), "");
  await assert.rejects(assertClean(bench()), /temporary/);
});
