// Secrets off their origin: none of ours, some of skopeo's (so the sentinel would see them).

import assert from "node:assert/strict";
import { test } from "node:test";
import { missing } from "../support/peers.ts";
import { CASES, SECRETS } from "./cases.ts";
import { asSkopeo, asUs } from "./drive.ts";

for (const c of CASES) {
  const name = `${c.name} (${c.act}, ${c.kind}; asked for ${c.asks})`;
  test(`${name}: ${c.we === "may-know" ? "secrets are shown" : "no secret"}`, async () => {
    const seen = await asUs(c);
    if (c.we === "may-know") assert.ok(seen.secrets.length > 0);
    else assert.deepEqual(seen.secrets, []);
    if (c.we === "refused") assert.equal(seen.requests, 0);
    else assert.ok(seen.requests > 0, "the sentinel was not asked, so nothing was shown");
    for (const secret of [SECRETS.password, SECRETS.identityToken, SECRETS.registryToken])
      assert.ok(!seen.told.includes(secret));
  });
}

for (const c of CASES.filter(({ skopeo, asks }) => skopeo === "leaks" && asks !== "basic"))
  test(
    `the control: ${c.name} (${c.act}, ${c.kind}): skopeo shows secrets`,
    { skip: missing("skopeo") },
    async () => {
      const { secrets } = await asSkopeo(c);
      assert.ok(secrets.length > 0);
    },
  );
