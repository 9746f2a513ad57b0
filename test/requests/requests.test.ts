import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startService } from "../support/service.ts";
import { programs, serviceClient } from "./clients.ts";
import { count, SCENARIOS, tally, total } from "./count.ts";

/** Exactly so many; docs/requests.md says what they are for. */
const OURS: Readonly<Record<string, number>> = {
  "10 layers, to a new repository": 36,
  "the same, with tokens": 40,
  "then to another tag": 3,
  "then to another repository": 14,
  "promoted within the registry": 14,
  unchanged: 3,
  "a list of 8 platforms": 91,
  "the list unchanged": 3,
};

const service = await startService();
after(() => service[Symbol.asyncDispose]());

for (const scenario of SCENARIOS)
  test(`${scenario.name}: no more requests than anybody else's`, async () => {
    const ours = await count(scenario, serviceClient("transship", service));
    assert.equal(total(ours), OURS[scenario.name], JSON.stringify([...ours]));
    for (const other of programs()) {
      const theirs = total(await count(scenario, other));
      assert.ok(total(ours) <= theirs, `${other.name}: ${theirs}`);
    }
  });

for (const scenario of SCENARIOS.filter(({ name }) => name.endsWith("unchanged")))
  test(`${scenario.name}, where that may be taken for done: two requests`, async () => {
    const client = serviceClient("transship", service, {
      optimizeDestinationImageAlreadyExists: true,
    });
    assert.deepEqual(
      await count(scenario, client),
      new Map([
        ["GET manifests", 1],
        ["HEAD manifests", 1],
      ]),
    );
  });

test("negative control: a copy that is not there counts as none", async () => {
  const nobody = { name: "nobody", copy: async () => {} };
  await assert.rejects(count(SCENARIOS[0]!, nobody), /app:1 is not there/);
  assert.equal(total(tally([{ method: "GET", kind: "blobs" }])), 1);
});
