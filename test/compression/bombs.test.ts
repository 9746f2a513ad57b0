import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compress } from "../../src/compression/compress.ts";
import { decompress } from "../../src/compression/decompress.ts";
import { CopyError } from "../../src/errors.ts";
import { inPieces, never } from "../support/bytes.ts";
import { Lender, mixedBytes, piped, randomBytes, tarOf } from "../support/compressed.ts";
import { missing } from "../support/peers.ts";

const MIB = 1024 * 1024;
const zeros = Buffer.alloc(16 * MIB);
const LIMITS = { bytes: 400 * MIB, ratio: 2000, freeBytes: 64 * MIB };

/** So many times over: none of the formats minds. */
const repeated = (stream: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => stream));

describe("decompression bombs", { skip: missing("bzip2", "xz") }, () => {
  const BOMBS = [
    ["gzip", () => gzipSync(zeros), 64, /more than 419430400 bytes/],
    ["zstd", () => zstdCompressSync(zeros), 64, /bomb/],
    ["bzip2", () => piped("bzip2", ["-c"], zeros), 8, /bomb/],
    ["xz", () => piped("xz", ["-c"], zeros), 8, /bomb/],
  ] as const;
  for (const [compression, make, times, expected] of BOMBS)
    test(`${compression} is refused once too much came out, and memory does not grow with it`, async () => {
      const source = new Lender(repeated(make(), times));
      const before = process.memoryUsage().rss;
      let most = 0;
      let written = 0;
      const pouring = decompress(source, compression, LIMITS).pour((chunk, release) => {
        written += chunk.length;
        most = Math.max(most, process.memoryUsage().rss);
        release();
      }, never);
      await assert.rejects(pouring, (error) => {
        assert.ok(error instanceof CopyError && error.code === "layer_invalid", String(error));
        assert.match(error.message, expected);
        return true;
      });
      assert.ok(written <= LIMITS.bytes, `${written} bytes came out`);
      assert.equal(source.lent, 0);
      assert.ok(
        most - before < 160 * MIB,
        `memory grew by ${Math.round((most - before) / MIB)} MiB`,
      );
    });

  test("a lot of zeros within the limits comes out", async () => {
    let written = 0;
    const content = decompress(inPieces(repeated(gzipSync(zeros), 6), MIB), "gzip", LIMITS);
    await content.pour((chunk, release) => {
      written += chunk.length;
      release();
    }, never);
    assert.equal(written, 96 * MIB);
  });
});

describe("the event loop", () => {
  const data = mixedBytes(6 * MIB);
  const tar = tarOf({ name: "a", content: randomBytes(6 * MIB) });
  const WORK = [
    ["gzip", () => compress(new Lender(data), "gzip", 6).content],
    ["zstd", () => compress(new Lender(data), "zstd", 10).content],
    ["zstd:chunked", () => compress(new Lender(tar), "zstd:chunked", 9).content],
    ["gunzip", () => decompress(new Lender(gzipSync(data)), "gzip")],
  ] as const;
  for (const [what, open] of WORK)
    test(`goes on turning while ${what} works`, async () => {
      const content = open();
      let isWorking = true;
      let turns = 0;
      const turn = (): void => {
        turns++;
        if (isWorking) setImmediate(turn);
      };
      setImmediate(turn);
      await content.pour((_, release) => release(), never);
      isWorking = false;
      assert.ok(turns > 20, `${turns} turns`);
    });
});
