import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../src/bytes.ts";
import { Relay } from "../../src/transport/docker/upload/relay.ts";
import { collect, inPieces, never } from "../support/bytes.ts";
import { seededBytes } from "../support/images.ts";

const data = seededBytes("relay", 100_000);

for (const piece of [1_000, 7_777, 100_000])
  test(`content in chunks of ${piece} is taken in parts of any size, each byte once`, async () => {
    await using relay = new Relay(inPieces(data, piece), never);
    const parts: Buffer[] = [];
    for (const bytes of [0, 1, 10_000, 33_333, 40_000])
      parts.push(await collect(relay.take(bytes)));
    assert.deepEqual(
      parts.map(({ length }) => length),
      [0, 1, 10_000, 33_333, 40_000],
    );
    assert.equal(relay.at, 83_334);
    await relay.skip(1);
    const rest = await collect(relay.take());
    await relay.ended();
    assert.equal(relay.at, data.length);
    assert.deepEqual(Buffer.concat([...parts, data.subarray(83_334, 83_335), rest]), data);
  });

test("what a taker has left is the next one's", async () => {
  await using relay = new Relay(inPieces(data, 10_000), never);
  const stop = new AbortController();
  const taken: Buffer[] = [];
  await assert.rejects(
    relay.take().pour((chunk, release) => {
      taken.push(chunk);
      release();
      if (taken.length === 3) stop.abort(new Error("enough"));
    }, stop.signal),
    /enough/,
  );
  assert.equal(relay.at, 30_000);
  assert.deepEqual(Buffer.concat([...taken, await collect(relay.take())]), data);
});

test("a chunk that two have taken is given back once both are done with it", async () => {
  let released = 0;
  const content: Bytes = {
    pour: async (sink) => sink(data, () => void released++),
  };
  await using relay = new Relay(content, never);
  const releases: (() => void)[] = [];
  const take = (bytes: number) =>
    relay.take(bytes).pour((_chunk, release) => void releases.push(release), never);
  await take(10);
  releases[0]?.();
  assert.equal(released, 0);
  await take(Infinity);
  releases[1]?.();
  assert.equal(released, 1);
});

test("content that fails fails for whoever takes, and nobody takes after that", async () => {
  const failure = new Error("broken");
  const content: Bytes = {
    pour: async (sink) => {
      sink(data.subarray(0, 10), () => {});
      await Promise.resolve();
      throw failure;
    },
  };
  await using relay = new Relay(content, never);
  await assert.rejects(collect(relay.take()), failure);
  await assert.rejects(collect(relay.take()), failure);
  await assert.rejects(relay.ended(), failure);
});

test("content that nobody takes any more is ended, and what it lent is given back", async () => {
  let lent = 0;
  const content: Bytes = {
    pour: (sink, signal) => {
      for (let i = 0; i < 5; i++) sink(data.subarray(i, i + 1), () => void lent--);
      lent += 5;
      const { promise, reject } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise;
    },
  };
  const relay = new Relay(content, never);
  assert.equal((await collect(relay.take(2))).length, 2);
  await relay[Symbol.asyncDispose]();
  assert.equal(lent, 0);
});

test("a taker who gives nothing back is given little, and two chunks at least: what is still here need not be had again", async () => {
  for (const [chunks, length, given] of [
    [40, 100_000, 11],
    [4, 4_000_000, 2],
  ] as const) {
    await using relay = new Relay(inPieces(Buffer.alloc(chunks * length), length), never);
    const stop = new AbortController();
    const lent: (() => void)[] = [];
    const taken = relay.take().pour((_chunk, release) => void lent.push(release), stop.signal);
    await new Promise(setImmediate);
    assert.equal(relay.at, given * length);
    lent[0]?.();
    lent[0]?.();
    assert.equal(relay.at, (given + 1) * length, "and another for each that comes back");
    stop.abort(new Error("enough"));
    await assert.rejects(taken, /enough/);
    for (const release of lent) release();
    assert.equal(relay.at, (given + 1) * length, "and none once it is over");
  }
});

test("a taker who fails when he is given more, after he gave something back, fails alone", async () => {
  await using relay = new Relay(inPieces(Buffer.alloc(400_000), 100_000 * 2), never);
  const lent: (() => void)[] = [];
  const taken = relay.take().pour((_chunk, release) => {
    if (lent.push(release) > 1) throw new Error("no more");
  }, never);
  await assert.rejects(taken, /no more/);
  for (const release of lent) release();
});
