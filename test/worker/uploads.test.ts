// A worker that dies in the middle of a large upload: another one finishes it where it was.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { until } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { killed, startService } from "../support/service.ts";

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const insecure = { tlsVerify: false };

const uploadsTo = ({ requests }: TestRegistry, method: string) =>
  requests.filter((seen) => seen.kind === "uploads" && seen.method === method);

for (const signal of ["SIGKILL", "SIGTERM"] as const)
  test(`after ${signal} in the middle of an upload, another worker sends the rest`, async () => {
    const timing = { leaseMs: 3000, lockMs: 4000, stalledMs: 1000, graceMs: 0 };
    await using service = await startService({ workers: 1, timing });
    await using from = await startRegistry();
    await using to = await startRegistry({ bytesPerSecond: 16 * MIB });
    const image = makeImage({ layers: [SIZE], seed: "killed" });
    const layer = image.layers[0] ?? assert.fail();
    from.put("app", "1", image);
    const { id } = await service.submit({
      source: `docker://${from.host}/app:1`,
      destination: `docker://${to.host}/copy:1`,
      sourceContext: insecure,
      destinationContext: insecure,
    });
    const received = () =>
      to.requests.reduce((sum, seen) => sum + (seen.kind === "uploads" ? seen.bytes : 0), 0);
    await until(() => received() > SIZE / 2, 60_000, "half of it was not sent");
    const [worker = assert.fail()] = service.workers;
    const died = killed(worker, signal);
    service.startWorker();
    await died;
    const job = await service.finished(id, 120_000);
    assert.equal(job.status, "succeeded", JSON.stringify(job.error));
    assert.ok(to.blob("copy", layer.digest)?.equals(image.blobs.get(layer.digest) as Buffer));
    const [patch] = uploadsTo(to, "PATCH");
    const start = parseInt(patch?.headers["content-range"] ?? "0");
    assert.ok(start >= SIZE / 2, `the rest began at ${start}`);
    // Of what was on its way when it died, nothing counts twice; the registry may have read some of it all the same.
    assert.ok(received() < SIZE + 4 * MIB, `${received()} bytes came`);
    assert.equal(uploadsTo(to, "GET").length, 1);
    assert.equal(to.openUploads, 0);
  });
