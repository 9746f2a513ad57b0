import assert from "node:assert/strict";
import { test } from "node:test";
import { peek, type Bytes } from "../../src/bytes.ts";
import { digesting } from "../../src/image/digesting.ts";
import { sniffing } from "../../src/copy/pipeline/sniffing.ts";
import { tee } from "../../src/copy/pipeline/tee.ts";
import { digestOf } from "../../src/image/digest.ts";
import { collect, inPieces, never } from "../support/bytes.ts";

const data = Buffer.from("some bytes that are looked at before they are poured");

/** Content that tells how many of its chunks are lent. */
function counted(size: number): { readonly content: Bytes; readonly lent: () => number } {
  let lent = 0;
  return {
    lent: () => lent,
    content: {
      pour: async (sink, signal) => {
        for (let at = 0; at < data.length; at += size) {
          signal.throwIfAborted();
          lent++;
          sink(data.subarray(at, at + size), () => void lent--);
          await new Promise((resolve) => setImmediate(resolve));
        }
        signal.throwIfAborted();
      },
    },
  };
}

for (const size of [1, 3, 8, 100]) {
  test(`the head is seen and nothing is lost, in pieces of ${size}`, async () => {
    const { content, lent } = counted(size);
    await using peeked = await peek(content, 8, never);
    assert.equal(peeked.head.toString(), "some byt");
    assert.deepEqual(await collect(peeked.content), data);
    assert.equal(lent(), 0);
  });
}

test("content that is shorter than what is looked for is all head", async () => {
  await using peeked = await peek(inPieces(Buffer.from("ab"), 1), 8, never);
  assert.equal(peeked.head.toString(), "ab");
  assert.equal((await collect(peeked.content)).toString(), "ab");
  await using empty = await peek(inPieces(Buffer.alloc(0), 1), 8, never);
  assert.equal(empty.head.length, 0);
  assert.equal((await collect(empty.content)).length, 0);
});

test("content that is peeked at and not wanted ends, and gives back what it lent", async () => {
  const { content, lent } = counted(4);
  {
    await using _peeked = await peek(content, 8, never);
    assert.ok(lent() >= 2);
  }
  assert.equal(lent(), 0);
});

test("content that fails before its head fails the peek, later it fails the pouring", async () => {
  const broken = (after: number): Bytes => ({
    pour: async (sink) => {
      if (after > 0) sink(data.subarray(0, after), () => {});
      await Promise.resolve();
      throw new Error("broken");
    },
  });
  await assert.rejects(peek(broken(0), 8, never), /broken/);
  await using peeked = await peek(broken(20), 8, never);
  await assert.rejects(collect(peeked.content), /broken/);
});

test("whoever pours can end it, by a signal and by failing", async () => {
  for (const fails of [true, false]) {
    const { content, lent } = counted(4);
    await using peeked = await peek(content, 8, never);
    const stop = new AbortController();
    let seen = 0;
    const pouring = peeked.content.pour((_chunk, release) => {
      release();
      if (++seen < 4) return;
      if (fails) throw new Error("enough");
      stop.abort(new Error("enough"));
    }, stop.signal);
    await assert.rejects(pouring, /enough/);
    assert.equal(lent(), 0);
  }
});

test("a digest and a size are told of what passed", async () => {
  const seen = digesting(inPieces(data, 5));
  assert.deepEqual(await collect(seen.content), data);
  assert.equal(seen.digest(), digestOf(data));
  assert.equal(seen.size(), data.length);
});

for (const size of [1, 5, 100]) {
  test(`the first bytes of what passed are told, in pieces of ${size}`, async () => {
    const seen = sniffing(inPieces(data, size), 8);
    assert.deepEqual(await collect(seen.content), data);
    assert.equal(seen.head().toString(), "some byt");
    assert.equal(seen.size(), data.length);
    const short = sniffing(inPieces(data.subarray(0, 3), size), 8);
    await collect(short.content);
    assert.equal(short.head().toString(), "som");
  });
}

test("a second reader sees all bytes, and a chunk is given back when both have had it", async () => {
  const { content, lent } = counted(4);
  const held: (() => void)[] = [];
  const teed = tee(content, async (copy, signal) => {
    const chunks: Buffer[] = [];
    await copy.pour((chunk, release) => {
      chunks.push(Buffer.from(chunk));
      held.push(release);
    }, signal);
    return Buffer.concat(chunks);
  });
  assert.deepEqual(await collect(teed.content), data);
  assert.deepEqual(await teed.result(), data);
  assert.equal(lent(), held.length);
  held.forEach((release) => release());
  assert.equal(lent(), 0);
});

test("a second reader that fails ends the pouring; content that fails ends both", async () => {
  const failing = tee(counted(4).content, async () => {
    throw new Error("unreadable");
  });
  await assert.rejects(collect(failing.content), /unreadable/);
  let ended: unknown;
  const broken: Bytes = {
    pour: async (sink) => {
      sink(data, () => {});
      throw new Error("broken");
    },
  };
  const teed = tee(broken, (copy, signal) =>
    copy
      .pour((_chunk, release) => release(), signal)
      .catch((error: unknown) => {
        ended = error;
        throw error;
      }),
  );
  await assert.rejects(collect(teed.content), /broken/);
  assert.match(String(ended), /broken/);
});
