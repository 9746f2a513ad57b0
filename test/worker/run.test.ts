import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { makeImage } from "../support/images.ts";
import { until } from "../support/peers.ts";
import type { Kind } from "../support/registry-http.ts";
import { startRegistry, type RegistryOptions } from "../support/registry.ts";
import { killed, startService, type Service } from "../support/service.ts";
import { sse } from "../support/sse.ts";

const insecure = { tlsVerify: false };
let service: Service;

before(async () => {
  service = await startService({
    timing: { leaseMs: 3000, lockMs: 3000, stalledMs: 1000, graceMs: 200 },
  });
});
after(() => service[Symbol.asyncDispose]());

/** Two registries with one image at the source, and the job that copies it. */
async function ends(source: RegistryOptions = {}, destination: RegistryOptions = {}) {
  const [from, to] = await Promise.all([startRegistry(source), startRegistry(destination)]);
  const image = makeImage({ layers: 4, seed: "run" });
  from.put("app", "1", image);
  const job = {
    source: `docker://${from.host}/app:1`,
    destination: `docker://${to.host}/copy:1`,
    sourceContext: insecure,
    destinationContext: insecure,
  };
  const close = async () =>
    void (await Promise.all([from[Symbol.asyncDispose](), to[Symbol.asyncDispose]()]));
  return { from, to, image, job, [Symbol.asyncDispose]: close };
}

async function typesOf(id: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of sse(`${service.url}/v1/jobs/${id}/events`)) types.push(type);
  return types;
}

test("a running job that is canceled closes its connections, writes no manifest, and says so", async () => {
  await using e = await ends({ delayMs: 30_000 });
  const { id } = await service.submit(e.job);
  await until(() => e.from.inFlight.downloads > 0, 10_000, "nothing is being read");
  const canceled = performance.now();
  const response = await fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" });
  assert.equal(response.status, 202);
  assert.equal((await service.finished(id, 5000)).status, "canceled");
  await until(() => e.from.inFlight.downloads === 0, 5000, "connections are still open");
  assert.ok(performance.now() - canceled < 5000);
  assert.equal(e.to.manifest("copy", "1"), undefined);
  assert.equal((await typesOf(id)).at(-1), "canceled");
});

test("a canceled job can be run again, and then succeeds", async () => {
  await using e = await ends({ delayMs: 500 });
  const { id } = await service.submit(e.job);
  await until(() => e.from.inFlight.downloads > 0, 10_000, "nothing is being read");
  await fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" });
  await service.finished(id, 5000);
  assert.equal((await fetch(`${service.url}/v1/jobs/${id}/retry`, { method: "POST" })).status, 202);
  assert.equal((await service.finished(id)).status, "succeeded");
  assert.equal(e.to.manifest("copy", "1")?.digest, e.image.digest);
});

test("a job whose registry fails for a while is tried again and succeeds", async () => {
  await using e = await ends();
  e.to.fail("PUT manifests", { times: 4, status: 503 });
  const { id } = await service.submit(e.job);
  const job = await service.finished(id);
  assert.deepEqual([job.status, job.attempt, job.error], ["succeeded", 2, null]);
  const types = await typesOf(id);
  assert.deepEqual(
    types.filter((type) => !type.startsWith("blob") && type !== "report"),
    ["queued", "active", "retrying", "active", "succeeded"],
  );
});

test("a job that no attempt can help fails at once, with a problem that names side, registry and answer", async () => {
  await using e = await ends();
  const { id } = await service.submit({ ...e.job, source: `docker://${e.from.host}/nothing:1` });
  const { status, attempt, error } = await service.finished(id);
  assert.deepEqual([status, attempt], ["failed", 1]);
  assert.deepEqual(
    [error?.code, error?.side, error?.registry, error?.upstream?.status, error?.retryable],
    ["source_not_found", "source", e.from.host, 404, false],
  );
});

const FOR_GOOD: readonly (readonly [`${string} ${Kind}`, number, "from" | "to"])[] = [
  ["GET manifests", 406, "from"],
  ["GET blobs", 400, "from"],
  ["POST uploads", 405, "to"],
  ["PUT uploads", 413, "to"],
  ["PUT manifests", 501, "to"],
];
for (const [what, status, end] of FOR_GOOD)
  test(`a job whose registry refuses ${what} with ${status} fails at its first attempt`, async () => {
    await using e = await ends();
    e[end].fail(what, { status });
    const { id } = await service.submit(e.job);
    const { attempt, error } = await service.finished(id);
    assert.deepEqual(
      [attempt, error?.code, error?.retryable, error?.side, error?.upstream?.status],
      [1, "registry_refused", false, end === "from" ? "source" : "destination", status],
    );
    const [method = ""] = what.split(" ");
    assert.match(error?.detail ?? "", new RegExp(`answered ${status} to ${method} of the .*; `));
  });

test("a job fails when its attempts are used up", async () => {
  await using e = await ends();
  e.from.fail("GET manifests", { status: 502 });
  const { id } = await service.submit({ ...e.job, attempts: 2 });
  const { status, attempt, error } = await service.finished(id);
  assert.deepEqual(
    [status, attempt, error?.code, error?.retryable],
    ["failed", 2, "registry_unavailable", true],
  );
});

test("a job that got wrong content once is begun anew, and succeeds", async () => {
  await using e = await ends();
  e.from.fail("GET blobs", { times: 1, corrupt: true });
  const { id } = await service.submit(e.job);
  const { status, attempt, error } = await service.finished(id);
  assert.deepEqual([status, attempt, error], ["succeeded", 2, null]);
});

test("a job that got wrong content twice fails, however many attempts it may have", async () => {
  await using e = await ends();
  e.from.fail("GET blobs", { corrupt: true });
  const { id } = await service.submit({ ...e.job, attempts: 5 });
  const { status, attempt, error } = await service.finished(id);
  assert.deepEqual(
    [status, attempt, error?.code, error?.side, error?.retryable],
    ["failed", 2, "digest_mismatch", "source", false],
  );
  assert.match(error?.detail ?? "", /in an earlier attempt, too/);
});

test("a job that takes longer than it may is ended as timed out", async () => {
  await using e = await ends({ delayMs: 30_000 });
  const { id } = await service.submit({ ...e.job, timeoutSeconds: 1 });
  const { status, error } = await service.finished(id, 10_000);
  assert.deepEqual([status, error?.code], ["failed", "timeout"]);
});

test("later attempts copy the image that the first one found, though its tag has moved", async () => {
  await using e = await ends();
  e.to.fail("PUT manifests", { times: 4, status: 503 });
  const { id } = await service.submit(e.job);
  const retrying = sse(`${service.url}/v1/jobs/${id}/events`);
  for await (const { type } of retrying) if (type === "retrying") break;
  e.from.put("app", "1", makeImage({ seed: "moved" }));
  const job = await service.finished(id);
  assert.deepEqual([job.status, job.result?.manifestDigest], ["succeeded", e.image.digest]);
});

test("what another repository of the registry has is mounted, what the destination has is reused", async () => {
  await using e = await ends();
  const job = { ...e.job, destination: `docker://${e.from.host}/elsewhere:1` };
  const mounted = await service.finished((await service.submit(job)).id);
  assert.deepEqual(
    [mounted.progress.blobsMounted, mounted.progress.blobsCopied],
    [e.image.blobs.size, 0],
  );
  const reused = await service.finished((await service.submit(job)).id);
  assert.deepEqual(
    [reused.progress.blobsReused, reused.progress.bytesDone, reused.progress.bytesTotal],
    [e.image.blobs.size, reused.progress.bytesTotal, reused.progress.bytesDone],
  );
});

test("a worker that is told to stop gives its job to another one, which costs no attempt", async () => {
  await using e = await ends({ delayMs: 2000 });
  const { id } = await service.submit({ ...e.job, attempts: 1 });
  await until(() => e.from.inFlight.downloads > 0, 10_000, "nothing is being read");
  const [first] = service.workers;
  assert.ok(first !== undefined);
  service.startWorker();
  await killed(first, "SIGTERM");
  const job = await service.finished(id, 30_000);
  assert.deepEqual([job.status, job.attempt], ["succeeded", 1]);
  assert.equal((await typesOf(id)).filter((type) => type === "active").length, 2);
});

test("credentials reach the registry and nothing else: not the job, not its events, not Redis", async () => {
  const [username, password] = ["robot", "m4rked-s3cret"];
  await using e = await ends({ auth: { kind: "basic", username, password } });
  const { id } = await service.submit({
    ...e.job,
    sourceContext: { ...insecure, auth: { username, password } },
  });
  assert.equal((await service.finished(id)).status, "succeeded");
  const refused = await service.submit({
    ...e.job,
    sourceContext: { ...insecure, auth: { username, password: `${password}-wrong` } },
  });
  const job = await service.finished(refused.id);
  assert.deepEqual([job.error?.code, job.error?.side], ["source_unauthorized", "source"]);

  const redis = new Redis(service.redisUrl);
  let seen = "";
  for (const key of await redis.keys("*")) {
    const type = await redis.type(key);
    if (type === "string") seen += (await redis.getBuffer(key))?.toString("latin1") ?? "";
    if (type === "hash") seen += JSON.stringify(await redis.hgetall(key));
    if (type === "stream") seen += JSON.stringify(await redis.xrange(key, "-", "+"));
  }
  redis.disconnect();
  seen += JSON.stringify(job);
  for (const form of [
    password,
    Buffer.from(password).toString("base64"),
    Buffer.from(`${username}:${password}`).toString("base64").slice(0, 20),
  ])
    assert.ok(!seen.includes(form), form);
  assert.ok(seen.includes(e.from.host), "the search finds what is there");
});
