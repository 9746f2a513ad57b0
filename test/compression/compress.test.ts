import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Bytes } from "../../src/bytes.ts";
import { Allowance, blockPool } from "../../src/compression/block-pool.ts";
import { compress, type Compressor } from "../../src/compression/compress.ts";
import { collect, inPieces, never } from "../support/bytes.ts";
import { Lender, mixedBytes, piped, randomBytes, tarOf } from "../support/compressed.ts";
import { missing } from "../support/peers.ts";

const MIB = 1024 * 1024;
/** More than two blocks of gzip's. */
const data = mixedBytes(2.5 * MIB);
/** Text that is like text. */
const TEXT = readFileSync(join(import.meta.dirname, "../../package-lock.json"));
const tar = tarOf(
  { name: "a", content: data.subarray(0, 300_000) },
  { name: "b", content: data.subarray(300_000, 1_500_000) },
);
const KINDS = ["gzip", "zstd", "zstd:chunked"] as const;
const contentFor = (to: Compressor): Buffer => (to === "zstd:chunked" ? tar : data);

const compressed = (content: Bytes, to: Compressor, level?: number): Promise<Buffer> =>
  collect(compress(content, to, level).content);

describe("compressed", { skip: missing("zstd") }, () => {
  for (const to of KINDS) {
    const program = to === "gzip" ? "gzip" : "zstd";

    test(`${to}: \`${program}\` gets the same bytes back`, async () => {
      const content = contentFor(to);
      const bytes = await compressed(new Lender(content), to);
      assert.ok(bytes.length < content.length);
      assert.ok(content.equals(piped(program, ["-dcq"], bytes)));
    });

    test(`${to}: the same bytes in give the same bytes out, however they are cut and whatever else is compressed`, async () => {
      const content = contentFor(to);
      const pieces = [4099, 100_003, MIB, content.length];
      const results = await Promise.all(
        pieces.map((piece) => compressed(inPieces(content, piece), to)),
      );
      for (const result of results) assert.ok(result.equals(results[0] as Buffer));
    });

    test(`${to}: a higher level makes less of it`, async () => {
      const text = to === "zstd:chunked" ? tarOf({ name: "a", content: TEXT }) : TEXT;
      const sizes = await Promise.all(
        [1, 3, 9].map(async (level) => (await compressed(inPieces(text, MIB), to, level)).length),
      );
      assert.deepEqual(
        sizes,
        sizes.toSorted((a, b) => b - a),
      );
    });
  }

  test("nothing, compressed, is nothing when it is decompressed", async () => {
    const nothing = inPieces(Buffer.alloc(0), 1);
    assert.equal(gunzipSync(await compressed(nothing, "gzip")).length, 0);
    assert.equal(zstdDecompressSync(await compressed(nothing, "zstd")).length, 0);
  });

  test("what cannot be compressed, whole blocks and one byte more come back", async () => {
    for (const length of [1, MIB - 1, MIB, MIB + 1, 2 * MIB]) {
      const content = randomBytes(length, length);
      assert.ok(content.equals(gunzipSync(await compressed(inPieces(content, 65_536), "gzip"))));
    }
    const content = mixedBytes(17 * MIB);
    assert.ok(
      content.equals(piped("zstd", ["-dcq"], await compressed(inPieces(content, MIB), "zstd", 1))),
    );
  });

  test("annotations are those of zstd:chunked only, and known at the end", async () => {
    for (const to of KINDS) {
      const { content, annotations } = compress(inPieces(contentFor(to), MIB), to, undefined);
      if (to === "zstd:chunked") assert.throws(annotations);
      await collect(content);
      assert.equal(Object.keys(annotations()).length, to === "zstd:chunked" ? 3 : 0);
    }
  });
});

for (const to of KINDS) {
  test(`${to}: a slow reader holds up the source, and no more than a few blocks are held`, async () => {
    const source = new Lender(to === "zstd:chunked" ? bigTar() : randomBytes(24 * MIB), 256 * 1024);
    const stop = new AbortController();
    let lent = 0;
    const pouring = compress(source, to, 1).content.pour((chunk) => {
      lent += chunk.length;
      // Nothing is given back: it must come to rest.
      if (lent >= MIB) setTimeout(() => stop.abort(new Error("seen enough")), 300);
    }, stop.signal);
    if (to === "zstd") setTimeout(() => stop.abort(new Error("seen enough")), 1500);
    await assert.rejects(pouring, /seen enough/);
    assert.ok(lent <= 1.5 * MIB, `${lent} bytes were lent`);
    assert.equal(source.lent, 0);
    if (to !== "zstd") assert.ok(source.given < 20 * MIB, `${source.given} bytes were taken`);
  });

  test(`${to}: an abort in the middle ends everything, with its reason`, async () => {
    const source = new Lender(to === "zstd:chunked" ? bigTar() : mixedBytes(8 * MIB), 64 * 1024);
    const stop = new AbortController();
    const reason = new Error("cancelled");
    const pouring = compress(source, to, 9).content.pour((_, release) => {
      release();
      stop.abort(reason);
    }, stop.signal);
    if (to === "zstd") setImmediate(() => stop.abort(reason));
    await assert.rejects(pouring, (error) => error === reason);
    assert.equal(source.lent, 0);
    assert.ok(isAllowanceWhole());
  });

  test(`${to}: a failure of the source is what the pouring fails with`, async () => {
    const error = new Error("the source is gone");
    for (const after of [0, MIB]) {
      const source = new Lender(contentFor(to), 64 * 1024, { after, error });
      await assert.rejects(compressed(source, to), (found) => found === error);
      assert.equal(source.lent, 0);
      assert.ok(isAllowanceWhole());
    }
  });

  test(`${to}: a pouring that is aborted before it begins does nothing`, async () => {
    const source = new Lender(contentFor(to));
    const pouring = compress(source, to, undefined).content.pour(
      () => assert.fail("nothing is to come"),
      AbortSignal.abort(new Error("too late")),
    );
    await assert.rejects(pouring, /too late/);
    assert.equal(source.given, 0);
  });
}

function bigTar(): Buffer {
  return tarOf({ name: "big", content: randomBytes(24 * MIB) });
}

/** True if all of the process's spare blocks are free. */
function isAllowanceWhole(): boolean {
  const one = new Allowance();
  let count = 0;
  while (one.tryTake()) count++;
  one.clear();
  wholeAllowance ??= count;
  return count === wholeAllowance;
}
let wholeAllowance: number | undefined;

test("many blobs at once share the threads, and each comes out right", async () => {
  const contents = Array.from({ length: 12 }, (_, i) => mixedBytes(MIB * (1 + (i % 3)) + i, i));
  const outs = await Promise.all(
    contents.map((content, i) => compressed(new Lender(content), i % 2 === 0 ? "gzip" : "zstd")),
  );
  for (const [i, out] of outs.entries()) {
    const back = i % 2 === 0 ? gunzipSync(out) : zstdDecompressSync(out);
    assert.ok(back.equals(contents[i] as Buffer));
  }
  assert.ok(isAllowanceWhole());
});

test("a blob that holds no block is always allowed one", () => {
  const [first, second, third] = [new Allowance(), new Allowance(), new Allowance()];
  while (first.tryTake());
  assert.ok(second.tryTake());
  assert.ok(!second.tryTake());
  assert.ok(third.tryTake());
  first.giveBack();
  assert.ok(second.tryTake());
  for (const allowance of [first, second, third]) allowance.clear();
  assert.ok(isAllowanceWhole());
});

test("a thread that ends fails the blob that needs it, and another one takes its place", async () => {
  const pouring = compressed(new Lender(mixedBytes(4 * MIB)), "gzip", 9);
  setImmediate(() => setImmediate(() => void blockPool.end()));
  const out = await pouring.catch((error: unknown) => error);
  assert.ok(out instanceof Buffer || /thread has ended/.test(String(out)));
  assert.ok(data.equals(gunzipSync(await compressed(new Lender(data), "gzip"))));
  await blockPool.end();
  assert.equal(blockPool.size, 0);
  assert.equal(never.aborted, false);
});
