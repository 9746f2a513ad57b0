// Jobs whose registry wants to be left alone: they wait in the queue, and in nobody's way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { JobQueue } from "../../src/jobs/queue.ts";
import type { JobView } from "../../src/jobs/view.ts";
import { makeImage } from "../support/images.ts";
import { until } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { startService, type Service } from "../support/service.ts";
import { sse } from "../support/sse.ts";

const image = makeImage({ seed: "parked" });
const insecure = { tlsVerify: false };
let service: Service;

before(async () => {
  service = await startService({ workers: 1, workerConcurrency: 1, blobConcurrency: 1 });
});
after(() => service[Symbol.asyncDispose]());

async function registryWithImage(): Promise<TestRegistry> {
  const registry = await startRegistry();
  registry.put("app", "1", image);
  return registry;
}

const jobAt = (registry: TestRegistry, name = "copy") => ({
  source: `docker://${registry.host}/app:1`,
  destination: `docker://${registry.host}/${name}:1`,
  sourceContext: insecure,
  destinationContext: insecure,
  attempts: 1,
});

async function parked(id: string): Promise<JobView> {
  let job = await service.get(id);
  await until(async () => (job = await service.get(id)).parkedUntil !== null, 30_000, "not parked");
  return job;
}

async function isQueued(id: string): Promise<boolean> {
  await using queue = new JobQueue(service.redisUrl, "patient");
  return await queue.has({ id, run: 1 });
}

const asks = (seconds: number) => ({
  times: 1,
  status: 429,
  headers: { "retry-after": String(seconds) },
});

test("a job that was told to wait is parked, is overtaken by others, and succeeds at its only attempt", async () => {
  await using busy = await registryWithImage();
  await using free = await registryWithImage();
  busy.fail("GET manifests", asks(5));
  const { id } = await service.submit(jobAt(busy));
  const job = await parked(id);
  assert.deepEqual(
    [job.status, job.error?.code, job.error?.retryable, job.attempt],
    ["queued", "registry_rate_limited", true, 1],
  );
  assert.equal(await isQueued(id), true, "no sweep takes it for lost");
  const since = busy.requests.length;
  // There is one worker, with room for one job.
  const other = await service.finished((await service.submit(jobAt(free))).id);
  assert.equal(other.status, "succeeded");
  const second = await service.submit(jobAt(busy, "second"));
  await parked(second.id);
  assert.equal(busy.requests.length, since, "nobody knocks meanwhile");
  const [first, last] = await Promise.all([service.finished(id), service.finished(second.id)]);
  assert.deepEqual([first.status, first.attempt, first.parkedUntil], ["succeeded", 1, null]);
  assert.deepEqual([last.status, last.attempt], ["succeeded", 1]);
  assert.ok(Date.parse(first.finishedAt ?? "") >= Date.parse(job.parkedUntil ?? ""));
  const types: string[] = [];
  for await (const { type } of sse(`${service.url}/v1/jobs/${id}/events`)) types.push(type);
  assert.deepEqual(
    types.filter((type) => !type.startsWith("blob") && type !== "report"),
    ["queued", "active", "retrying", "active", "succeeded"],
  );
});

test("503 with a wish to be left alone parks a job as well", async () => {
  await using registry = await registryWithImage();
  registry.fail("PUT manifests", { ...asks(3), status: 503 });
  const { id } = await service.submit(jobAt(registry));
  assert.equal((await parked(id)).error?.upstream?.status, 503);
  const job = await service.finished(id);
  assert.deepEqual([job.status, job.attempt], ["succeeded", 1]);
});

test("a parked job is canceled at once, and runs again when it is told to", async () => {
  await using registry = await registryWithImage();
  registry.fail("GET manifests", asks(600));
  const { id } = await service.submit(jobAt(registry));
  await parked(id);
  const answer = await fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" });
  assert.equal(answer.status, 202);
  const canceled = await service.get(id);
  assert.deepEqual([canceled.status, canceled.parkedUntil], ["canceled", null]);
  const asked = registry.requests.length;
  assert.equal((await fetch(`${service.url}/v1/jobs/${id}/retry`, { method: "POST" })).status, 202);
  // It is with a worker again at once, which still leaves the registry alone.
  const again = await parked(id);
  assert.deepEqual([again.status, registry.requests.length], ["queued", asked]);
});
