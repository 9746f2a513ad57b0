// The short form of `npm run layout`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { storm } from "./storm.ts";

test("eight processes write tags into one layout, some are killed and one is frozen: no tag is lost, and the index is whole at every moment", async () => {
  const report = await storm({ writers: 8, rounds: 4, kills: 2, freezes: 1 });
  const { tags, images, unreadable, dangling, vanished } = report;
  assert.deepEqual(
    { tags, images, unreadable, dangling, vanished },
    { tags: 32, images: 32, unreadable: 0, dangling: 0, vanished: 0 },
  );
  assert.ok(report.kills > 0 && report.freezes > 0 && report.reads > 100, JSON.stringify(report));
});

test("control: without the lock the same processes lose tags", async () => {
  const { images, expected } = await storm({ writers: 8, rounds: 5, lockless: true });
  assert.ok(images < expected, `${images} of ${expected}`);
});
