// The short form of npm run tokens, and its controls.

import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, Hasty, runTokens, Trusting } from "./tokens.ts";

test("copies between registries whose tokens live one second", async () => {
  const report = await runTokens({ copies: 10, atOnce: 5, repositories: 2 });
  assert.deepEqual(report.failures, []);
  assert.deepEqual(faultsOf(report, 10), []);
  assert.equal(report.blobs, 40);
});

test("the control: without a single flight too many tokens are asked for", async () => {
  const report = await runTokens({ copies: 10, atOnce: 10, repositories: 1, tokens: new Hasty() });
  assert.match(faultsOf(report, 10).join("; "), /tokens, \d+ would do/);
});

test("the control: tokens that are taken to be good for a minute are refused", async () => {
  const report = await runTokens({
    copies: 10,
    atOnce: 5,
    repositories: 1,
    tokens: new Trusting(),
  });
  assert.match(faultsOf(report, 10).join("; "), /answers with 401 after the first/);
});
