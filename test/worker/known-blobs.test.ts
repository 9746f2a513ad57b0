// What the cluster knows of blobs, through the whole service: a tenant's knowledge is no other's (reliability T54), and a copy goes on
// without any.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { keys } from "../../src/jobs/redis.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { startService, type Service } from "../support/service.ts";

const TENANTS = { alice: "key-of-alice-0123456789", bob: "key-of-bob-0123456789" };
type Tenant = keyof typeof TENANTS;
const insecure = { tlsVerify: false };
const as = (tenant: Tenant) => ({ authorization: `Bearer ${TENANTS[tenant]}` });
let service: Service;

before(async () => {
  service = await startService({ tenants: TENANTS });
});
after(() => service[Symbol.asyncDispose]());

async function copied(tenant: Tenant, source: string, destination: string) {
  const job = { source, destination, sourceContext: insecure, destinationContext: insecure };
  const { id } = await service.submit(job, as(tenant));
  return service.finished(id, 30_000, as(tenant));
}

/** What was asked of a registry since, as `METHOD path`. */
const askedSince = ({ requests }: TestRegistry, begin: number): readonly string[] =>
  requests.slice(begin).map(({ method, path }) => `${method} ${path}`);

test("what one tenant has in a private repository is neither mounted for another nor hinted at", async () => {
  await using from = await startRegistry();
  await using shared = await startRegistry();
  const image = makeImage({ seed: "private" });
  from.put("app", "1", image);
  const source = `docker://${from.host}/app:1`;
  const first = await copied("alice", source, `docker://${shared.host}/alice/private:1`);
  assert.deepEqual([first.status, first.progress.blobsCopied], ["succeeded", image.blobs.size]);

  const begin = shared.requests.length;
  const own = await copied("bob", source, `docker://${shared.host}/bob/own:1`);
  assert.deepEqual(
    [own.status, own.progress.blobsMounted, own.progress.blobsReused, own.progress.blobsCopied],
    ["succeeded", 0, 0, image.blobs.size],
  );
  const asked = askedSince(shared, begin);
  assert.deepEqual(
    asked.filter((line) => line.includes("alice") || line.includes("mount=")),
    [],
  );
  // Nor can it be told from a blob that nobody has.
  const unknown = makeImage({ seed: "unknown" });
  from.put("other", "1", unknown);
  const before_ = shared.requests.length;
  await copied("bob", `docker://${from.host}/other:1`, `docker://${shared.host}/bob/new:1`);
  const unknownAsked = askedSince(shared, before_);
  for (const method of ["HEAD", "GET", "POST", "PUT"])
    assert.equal(
      asked.filter((line) => line.startsWith(`${method} `)).length,
      unknownAsked.filter((line) => line.startsWith(`${method} `)).length,
      method,
    );

  const again = await copied("alice", source, `docker://${shared.host}/alice/public:1`);
  assert.equal(again.progress.blobsMounted, image.blobs.size, "the owner's knowledge is used");
});

test("who only knows the digest of another tenant's blob is told that the source has no such blob", async () => {
  await using from = await startRegistry();
  await using shared = await startRegistry();
  const image = makeImage({ seed: "secret" });
  from.put("app", "1", image);
  await copied("alice", `docker://${from.host}/app:1`, `docker://${shared.host}/alice/private:1`);
  from.content.forgeManifest("stolen", "1", image.manifest);
  const begin = shared.requests.length;
  const stolen = await copied(
    "bob",
    `docker://${from.host}/stolen:1`,
    `docker://${shared.host}/bob/loot:1`,
  );
  assert.deepEqual([stolen.status, stolen.error?.code], ["failed", "source_not_found"]);
  assert.equal(
    askedSince(shared, begin).some((line) => line.includes("alice")),
    false,
  );
  assert.equal(shared.manifest("bob/loot", "1"), undefined);
});

test("a copy goes on while only what is known of blobs cannot be asked or told", async () => {
  await using from = await startRegistry();
  await using to = await startRegistry();
  const image = makeImage({ seed: "broken" });
  from.put("app", "1", image);
  const redis = new Redis(service.redisUrl);
  // Keys of another kind than the cache's scripts expect: each of its questions fails, and nothing else does.
  const broken = [...image.blobs.keys()].map((digest) => keys.blob("alice", digest));
  for (const key of broken) await redis.set(key, "no hash");
  await redis.del(keys.tenantBlobs("alice"));
  await redis.set(keys.tenantBlobs("alice"), "no set");
  const source = `docker://${from.host}/app:1`;
  for (const name of ["one", "two"]) {
    const { status, attempt, progress } = await copied(
      "alice",
      source,
      `docker://${to.host}/${name}:1`,
    );
    assert.deepEqual([status, attempt, progress.blobsCopied], ["succeeded", 1, image.blobs.size]);
    assert.equal(to.manifest(name, "1")?.digest, image.digest);
  }
  assert.equal(await redis.get(broken[0] ?? ""), "no hash", "the cache was broken all the while");
  redis.disconnect();
});
