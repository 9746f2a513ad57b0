import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { bunzip2 } from "../../src/compression/bzip2.ts";
import { decompress } from "../../src/compression/decompress.ts";
import { unxz } from "../../src/compression/xz/xz.ts";
import { CopyError } from "../../src/errors.ts";
import type { Compression } from "../../src/image/compression.ts";
import { collect, inPieces, never } from "../support/bytes.ts";
import { Lender, mixedBytes, piped, randomBytes } from "../support/compressed.ts";
import { missing } from "../support/peers.ts";

const data = mixedBytes(1_500_000);
const small = mixedBytes(3000, 5);
const middle = mixedBytes(200_000, 2);

/** Compressed as other programs do it, from the fastest to the smallest. */
const PEERS = [
  ["gzip", "gzip", ["-c", "-1"]],
  ["gzip", "gzip", ["-c", "-9"]],
  ["bzip2", "bzip2", ["-c", "-1"]],
  ["bzip2", "bzip2", ["-c", "-9"]],
  ["xz", "xz", ["-c", "-0", "--check=crc32"]],
  ["xz", "xz", ["-c", "-6", "--check=crc64"]],
  ["xz", "xz", ["-c", "-6", "--check=sha256", "--block-size=100000"]],
  ["xz", "xz", ["-c", "--check=none", "--lzma2=preset=6,lc=0,lp=4,pb=0"]],
  ["xz", "xz", ["-c", "--lzma2=preset=1,dict=4KiB,lc=4,lp=0,pb=4"]],
  ["zstd", "zstd", ["-c", "-q", "-1"]],
  ["zstd", "zstd", ["-c", "-q", "--ultra", "-22", "--no-check"]],
  ["zstd:chunked", "zstd", ["-c", "-q", "-19"]],
] as const;

for (const [compression, program, args] of PEERS)
  test(
    `what \`${program} ${args.join(" ")}\` compresses comes out as it was`,
    { skip: missing(program) },
    async () => {
      const compressed = piped(program, args, data);
      assert.ok(data.equals(await collect(decompress(new Lender(compressed), compression))));
      const few = piped(program, args, small);
      assert.ok(small.equals(await collect(decompress(inPieces(few, 1), compression))));
    },
  );

const EDGES = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("a")],
  ["zeros", Buffer.alloc(2_500_000)],
  ["four equal bytes", Buffer.from("aaaa")],
  ["260 equal bytes", Buffer.alloc(260, "b")],
  ["what cannot be compressed", randomBytes(1_000_001)],
  ["all bytes", Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
] as const;

for (const [what, content] of EDGES)
  for (const [compression, program] of [
    ["gzip", "gzip"],
    ["bzip2", "bzip2"],
    ["xz", "xz"],
    ["zstd", "zstd"],
  ] as const)
    test(`${compression} of ${what} comes out as it was`, { skip: missing(program) }, async () => {
      const compressed = piped(program, ["-c"], content);
      assert.ok(content.equals(await collect(decompress(inPieces(compressed, 999), compression))));
    });

const compress = (program: string, content: Buffer): Buffer => piped(program, ["-c"], content);
const skippable = Buffer.from("502a4d180300000061626364".slice(0, 22), "hex");

describe("several streams", { skip: missing("bzip2", "xz", "zstd") }, () => {
  const many = (program: string): Buffer =>
    Buffer.concat([small, middle, Buffer.alloc(0), small].map((part) => compress(program, part)));
  const whole = Buffer.concat([small, middle, small]);
  for (const [compression, program] of [
    ["gzip", "gzip"],
    ["bzip2", "bzip2"],
    ["xz", "xz"],
    ["zstd", "zstd"],
  ] as const)
    test(`${compression}: one after the other, wherever they are cut`, async () => {
      const streams = many(program);
      for (const piece of [301, 4096, streams.length])
        assert.ok(whole.equals(await collect(decompress(inPieces(streams, piece), compression))));
    });

  const PADDED = [
    ["gzip", "zero bytes after it", [gzipSync(small), Buffer.alloc(1000)], small],
    [
      "xz",
      "zero bytes, in fours, between and after",
      () => xzPadded(),
      Buffer.concat([small, small]),
    ],
    ["zstd", "frames to be skipped", () => zstdSkipping(), Buffer.concat([small, small])],
  ] as const;
  const xzPadded = (): Buffer[] => {
    const stream = compress("xz", small);
    return [stream, Buffer.alloc(8), stream, Buffer.alloc(4)];
  };
  const zstdSkipping = (): Buffer[] => {
    const frame = zstdCompressSync(small);
    return [skippable, frame, skippable, skippable, frame, skippable];
  };
  for (const [compression, what, parts, expected] of PADDED)
    test(`${compression}: ${what} are no content`, async () => {
      const bytes = Buffer.concat(typeof parts === "function" ? parts() : [...parts]);
      for (const piece of [1, 1000, bytes.length])
        assert.ok(expected.equals(await collect(decompress(inPieces(bytes, piece), compression))));
    });
});

/** What comes out, the slow codecs without a thread of their own: there are many cases. */
async function outOf(bytes: Buffer, compression: Compression, piece = 1000): Promise<Buffer> {
  const codec = { bzip2: bunzip2, xz: unxz }[compression as string];
  if (codec === undefined) return collect(decompress(inPieces(bytes, piece), compression));
  const out: Buffer[] = [];
  let at = 0;
  codec({
    read: () => (at < bytes.length ? bytes.subarray(at, (at += piece)) : undefined),
    write: (chunk) => void out.push(Buffer.from(chunk)),
  });
  return Buffer.concat(out);
}

/** How it fails. */
async function failure(bytes: Buffer, compression: Compression, piece = 1000): Promise<CopyError> {
  const error = await outOf(bytes, compression, piece).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CopyError, `${compression}: ${String(error)}`);
  assert.equal(error.code, "layer_invalid");
  assert.deepEqual(error.context, { side: "source", phase: "blob" });
  return error;
}

describe("bad content", { skip: missing("bzip2", "xz", "zstd") }, () => {
  const ALGORITHMS = ["gzip", "bzip2", "xz", "zstd"] as const;
  for (const algorithm of ALGORITHMS) {
    test(`${algorithm} that is cut short is refused, wherever it is cut`, async () => {
      const bytes = compress(algorithm, small);
      for (
        let end = 1;
        end < bytes.length;
        end += 1 + (end > 40 && end < bytes.length - 40 ? 61 : 0)
      )
        assert.match((await failure(bytes.subarray(0, end), algorithm)).message, /cut short/);
    });

    test(`${algorithm} with something else after it is refused`, async () => {
      const bytes = compress(algorithm, small);
      for (const tail of ["x", "ab", "abc", "not the beginning of anything"])
        for (const piece of [1, bytes.length, bytes.length + 100])
          await failure(Buffer.concat([bytes, Buffer.from(tail)]), algorithm, piece);
    });

    test(`${algorithm} with a changed bit never comes out as if it were right`, async () => {
      const bytes = compress(algorithm, small);
      for (let at = 0; at < bytes.length; at += 41) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << (at % 8));
        const out = await outOf(changed, algorithm).catch((error: unknown) => error);
        // gzip's header has bytes that mean nothing, and zstd's a bit.
        const isSame = out instanceof Buffer && out.equals(small);
        const isRefused = out instanceof CopyError && out.code === "layer_invalid";
        assert.ok(isRefused || (isSame && at < 10), `${algorithm} at ${at}: ${String(out)}`);
      }
    });
  }

  const CASES: readonly (readonly [string, Compression, Buffer, RegExp])[] = [
    [
      "gzip padding that is not zero all through",
      "gzip",
      Buffer.concat([gzipSync(small), Buffer.alloc(600), Buffer.from("x")]),
      /something else follows/,
    ],
    [
      "zero bytes after zstd",
      "zstd",
      Buffer.concat([zstdCompressSync(small), Buffer.alloc(100)]),
      /something else follows/,
    ],
    ["a bzip2 block of before 0.9.5", "bzip2", randomised(), /randomised/],
    [
      "a zstd frame with a window of 256 MiB",
      "zstd",
      Buffer.from("28b52ffd0490" + "010000", "hex"),
      /128 MiB/,
    ],
    ["xz that needs a dictionary of 192 MiB", "xz", xzWithDictionary(31), /128 MiB/],
  ];
  for (const [what, compression, bytes, expected] of CASES)
    test(`${what}: refused`, async () => {
      assert.match((await failure(bytes, compression)).message, expected);
    });

  test("xz with other filters than LZMA2 is refused, with the reason", async () => {
    const filtered = piped("xz", ["-c", "--x86", "--lzma2"], small);
    assert.match((await failure(filtered, "xz")).message, /other filters/);
  });
});

/** The beginning of a bzip2 stream whose first block says that it is randomised. */
function randomised(): Buffer {
  const bytes = piped("bzip2", ["-c"], small);
  bytes[14] = (bytes[14] as number) | 0x80;
  return bytes;
}

/** An xz stream whose block header asks for another dictionary; its checksum is right. */
function xzWithDictionary(size: number): Buffer {
  const bytes = piped("xz", ["-c", "--check=none"], small);
  const end = 12 + ((bytes[12] as number) + 1) * 4 - 4;
  bytes[16] = size;
  bytes.writeUInt32LE(crc32(bytes.subarray(12, end)), end);
  return bytes;
}

test("the bytes that come out are lent: a slow reader holds up the source", async () => {
  const source = new Lender(gzipSync(Buffer.alloc(64 * 1024 * 1024)), 1024);
  const held: (() => void)[] = [];
  let lent = 0;
  let most = 0;
  const content = decompress(source, "gzip");
  await content.pour((chunk, release) => {
    lent += chunk.length;
    most = Math.max(most, lent);
    held.push(() => {
      lent -= chunk.length;
      release();
    });
    if (held.length === 1) setImmediate(() => held.splice(0).forEach((giveBack) => giveBack()));
  }, never);
  assert.ok(most <= 1.5 * 1024 * 1024, `${most} bytes were lent at once`);
  assert.equal(source.lent, 0);
});
