import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { Outflow, partAfter } from "../../src/transport/docker/wire/outflow.ts";
import { seededBytes } from "../support/images.ts";
import { until } from "../support/peers.ts";

const KIB = 1024;
const MIB = KIB * KIB;
const RULE = { stallMs: 60_000, stallBytes: 64 * KIB };

test("as much is handed over at a time as goes in a second, and never less than the rule wants in its time", () => {
  for (const [bytes, ms, part] of [
    [MIB, 0, Infinity],
    [MIB, 1, 1000 * MIB],
    [MIB, 1_000, MIB],
    [MIB, 2_000, MIB / 2],
    [MIB, 100_000, 64 * KIB],
    [64 * KIB, 60_000, 64 * KIB],
    [64 * KIB, 500, 128 * KIB],
    [100, 10, 64 * KIB],
  ] as const)
    assert.equal(partAfter(bytes, ms, RULE), part, `${bytes} in ${ms} ms`);
});

/** Both ends of a connection; what comes is read when the test says so. */
async function pair(t: TestContext): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
  const [far] = (await once(server, "connection")) as [Socket];
  far.on("error", () => {});
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

test("all comes in its order, each chunk is given back once, and little waits in the socket", async (t) => {
  const { near, far } = await pair(t);
  const bytes = seededBytes("outflow", 24 * MIB);
  // A part is what goes in 5 ms.
  const flow = new Outflow(near, { stallMs: 300, stallBytes: 1 }, () => assert.fail("it stalls"));
  const written: number[] = [];
  for (let at = 0; at < bytes.length; at += MIB)
    flow.write(bytes.subarray(at, at + MIB), () => written.push(at / MIB));
  await until(() => near.writableLength > 0, 5_000, "the system takes everything");
  assert.ok(near.writableLength <= MIB, `${near.writableLength} bytes wait`);
  assert.ok(written.length < 24);
  flow.end();
  const came: Buffer[] = [];
  let most = 0;
  for await (const chunk of far.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    came.push(chunk);
    most = Math.max(most, near.writableLength);
    if (came.reduce((sum, { length }) => sum + length, 0) === bytes.length) break;
  }
  assert.ok(most <= MIB + 256 * KIB, `${most} bytes waited`);
  assert.ok(Buffer.concat(came).equals(bytes));
  await until(() => written.length === 24, 5_000, "chunks are not given back");
  assert.deepEqual(
    written,
    Array.from({ length: 24 }, (_, index) => index),
  );
});

test("where the connection ends, each chunk is given back all the same", async (t) => {
  const { near } = await pair(t);
  const flow = new Outflow(near, RULE, () => assert.fail("it stalls"));
  let written = 0;
  for (let chunk = 0; chunk < 24; chunk++) flow.write(Buffer.alloc(MIB), () => written++);
  await until(() => near.writableLength > 0, 5_000, "the system takes everything");
  assert.ok(written < 24);
  near.destroy();
  flow.end();
  await until(() => written === 24, 5_000, "chunks are not given back");
  flow.write(Buffer.alloc(1), () => written++);
  await until(() => written === 25, 5_000, "nor is a late one");
});
