// Jobs on several workers that want one blob in one repository at the same time: it is moved once, whoever dies meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { Digest } from "../../src/image/digest.ts";
import { makeImage, type TestImage } from "../support/images.ts";
import { until } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { killed, startService } from "../support/service.ts";

const insecure = { tlsVerify: false };
const LAYER = 512 * 1024;

const count = ({ requests }: TestRegistry, method: string, digest: Digest, status: number) =>
  requests.filter(
    (seen) =>
      seen.method === method &&
      seen.status === status &&
      decodeURIComponent(seen.path).includes(digest),
  ).length;
/** How many uploads of each layer were finished. */
const stored = ({ layers }: TestImage, to: TestRegistry): readonly number[] =>
  layers.map(({ digest }) => count(to, "PUT", digest, 201));
/** How often each layer was read to its end. */
const read = ({ layers }: TestImage, from: TestRegistry): readonly number[] =>
  layers.map(({ digest }) => count(from, "GET", digest, 200));

async function setUp(workers: number, delayMs = 0) {
  const opened = new AsyncDisposableStack();
  const timing = { leaseMs: 4000, lockMs: 6000, stalledMs: 2000 };
  const service = opened.use(await startService({ workers, workerConcurrency: 1, timing }));
  const from = opened.use(await startRegistry({ delayMs }));
  const to = opened.use(await startRegistry());
  const image = makeImage({ layers: [LAYER, LAYER], seed: "flight" });
  from.put("app", "1", image);
  const redis = new Redis(service.redisUrl);
  opened.defer(() => redis.disconnect());
  return {
    service,
    from,
    to,
    image,
    submit: (tag: string) =>
      service.submit({
        source: `docker://${from.host}/app:1`,
        destination: `docker://${to.host}/copy:${tag}`,
        sourceContext: insecure,
        destinationContext: insecure,
      }),
    /** Until another job waits for each of the layers that one moves. */
    bothWait: () =>
      until(
        async () =>
          (await redis.keys("*semaphore:flight:*:waiters")).length === image.layers.length,
        60_000,
        "nobody waits",
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

test("a blob that jobs on two workers want at the same time is moved once", async () => {
  await using bench = await setUp(2, 3000);
  const { service, from, to, image, submit, bothWait } = bench;
  const jobs = await Promise.all([submit("a"), submit("b")]);
  await bothWait();
  for (const { id } of jobs) assert.equal((await service.finished(id)).status, "succeeded");
  assert.deepEqual(
    [read(image, from), stored(image, to)],
    [
      [1, 1],
      [1, 1],
    ],
  );
  for (const tag of ["a", "b"]) assert.equal(to.manifest("copy", tag)?.digest, image.digest);
});

test("when the worker that moves it is killed, the one that waits moves it", async () => {
  await using bench = await setUp(1);
  const { service, from, to, image, submit, bothWait } = bench;
  const [leader = assert.fail()] = service.workers;
  // The leader never gets the end of what it has begun to read.
  from.fail("GET blobs", { stall: 1000, times: image.blobs.size });
  const first = await submit("a");
  const areUnderWay = () => from.inFlight.downloads >= image.layers.length;
  await until(areUnderWay, 20_000, "nothing is moved");
  service.startWorker();
  const second = await submit("b");
  await bothWait();
  await killed(leader, "SIGKILL");
  assert.equal((await service.finished(second.id)).status, "succeeded");
  assert.equal((await service.finished(first.id)).status, "succeeded");
  assert.deepEqual(
    [read(image, from), stored(image, to)],
    [
      [1, 1],
      [1, 1],
    ],
  );
  for (const tag of ["a", "b"]) assert.equal(to.manifest("copy", tag)?.digest, image.digest);
});
