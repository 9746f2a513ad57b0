// From an order and the service's settings to the policy that the engine asks.

import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import type { CopyEnds } from "../../src/copy/interfaces.ts";
import { openEnds } from "../../src/jobs/ends.ts";
import { parsePolicy } from "../../src/signature/policy.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { accessTo, failure, makeDataDir, never, write } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { SPEC } from "../support/jobs.ts";

const ACCEPT = [{ type: "insecureAcceptAnything" }];
const REJECT = [{ type: "reject" }];
const image = makeImage();

/** Opens the ends of an order and asks the policy about its image. `service`, `order`: policies. */
async function ask(
  dataDir: string,
  source: string,
  service: object | undefined,
  order?: Readonly<Record<string, unknown>>,
): Promise<CopyEnds["policy"]> {
  await using registries = new Registries(LOOPBACK_TOO);
  const deps = {
    ...accessTo(dataDir, "source"),
    registries,
    cacheOf: () => NO_CACHE,
    policy: service === undefined ? undefined : parsePolicy(service, "files"),
  };
  const spec = { ...SPEC, source, destination: "dir:to", ...(order && { policy: order }) };
  await using ends = await openEnds({ spec, tenant: "t", secrets: {} }, deps, never);
  await ends.policy?.check({ manifest: image.manifest, signatures: async () => [] }, never);
  return ends.policy;
}

const rejected = failure("policy_rejected", /rejected by policy/);

test("without a policy nothing is asked", async () => {
  await using dir = await makeDataDir();
  await write("oci:from:v1", image, accessTo(dir.path, "destination"));
  assert.equal(await ask(dir.path, "oci:from:v1", undefined), undefined);
});

test("the service's policy and the order's must both hold", async () => {
  await using dir = await makeDataDir();
  await write("oci:from:v1", image, accessTo(dir.path, "destination"));
  const check = (service: object | undefined, order?: Readonly<Record<string, unknown>>) =>
    ask(dir.path, "oci:from:v1", service, order);
  assert.ok(await check({ default: ACCEPT }));
  assert.ok(await check(undefined, { default: ACCEPT }));
  assert.ok(await check({ default: ACCEPT }, { default: ACCEPT }));
  await assert.rejects(check({ default: REJECT }), rejected);
  await assert.rejects(check(undefined, { default: REJECT }), rejected);
  await assert.rejects(check({ default: REJECT }, { default: ACCEPT }), rejected);
  await assert.rejects(check({ default: ACCEPT }, { default: REJECT }), rejected);
});

test("a place is known by where it really is, whatever the reference calls it", async () => {
  await using dir = await makeDataDir();
  await write("oci:real:v1", image, accessTo(dir.path, "destination"));
  await symlink("real", join(dir.path, "link"));
  const policy = {
    default: ACCEPT,
    transports: { oci: { [join(dir.path, "real")]: REJECT, [join(dir.path, "link")]: ACCEPT } },
  };
  await assert.rejects(ask(dir.path, "oci:real:v1", policy), rejected);
  await assert.rejects(ask(dir.path, "oci:link:v1", policy), rejected);
});
