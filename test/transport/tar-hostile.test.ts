// Archives that want to do harm: what is read of them is bounded, whatever they say of themselves (reliability T38).

import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import type { RegularFile } from "../../src/transport/files.ts";
import { readArchive } from "../../src/transport/tar/archive.ts";
import { failure, never } from "../support/folders.ts";
import { seededBytes } from "../support/images.ts";
import { makeTar, paxRecord, tarHeader } from "../support/raw-tar.ts";

/** A file of any size, whose bytes are made when they are read; it counts those. */
function fileOf(size: number, read: (into: Buffer, position: number) => void) {
  let bytes = 0;
  const handle = {
    read: async (buffer: Buffer, offset: number, length: number, position: number) => {
      const bytesRead = Math.max(0, Math.min(length, size - position));
      read(buffer.subarray(offset, offset + bytesRead), position);
      bytes += bytesRead;
      return { bytesRead };
    },
  };
  return { file: { size, handle } as unknown as RegularFile, read: () => bytes };
}

const open = (file: RegularFile) => readArchive(file, "first", { side: "source" }, never);

const cases: readonly (readonly [what: string, repeated: Buffer, words: RegExp, most: number])[] = [
  ["ten million members", tarHeader({ name: "x" }), /more than 100000 members/, 60e6],
  [
    "links to links without end",
    tarHeader({ name: "x", type: "2", linkName: "x" }),
    /members/,
    60e6,
  ],
  [
    "names of a mebibyte, one after the other",
    makeTar([{ name: "L", type: "L", content: "x".repeat(2 ** 20) }, { name: "a" }]).subarray(
      0,
      -1024,
    ),
    /extended headers are too large/,
    40e6,
  ],
  [
    "small pax headers without end",
    makeTar([{ name: "x", type: "x", content: paxRecord("comment", "x".repeat(400)) }]).subarray(
      0,
      -1024,
    ),
    /extended headers are too large/,
    60e6,
  ],
];

for (const [what, repeated, words, most] of cases)
  test(`${what} are refused, and neither read to their end nor kept`, async () => {
    const { file, read } = fileOf(10e6 * repeated.length, (into, position) => {
      for (let at = 0; at < into.length;) {
        const from = (position + at) % repeated.length;
        at += repeated.copy(into, at, from, Math.min(repeated.length, from + into.length - at));
      }
    });
    const before = process.memoryUsage().rss;
    await assert.rejects(() => open(file), failure("manifest_invalid", words));
    assert.ok(read() < most, `${read()} bytes were read`);
    // What is kept is some 30 MiB at most; the rest is what the collector has not come to yet. All of it would be gigabytes.
    assert.ok(process.memoryUsage().rss - before < 128 * 2 ** 20);
  });

test("a hundred thousand members are not too many", async () => {
  const header = tarHeader({ name: "x" });
  const last = makeTar([{ name: "a" }]);
  const end = 99_999 * 512;
  const { file } = fileOf(end + last.length, (into, position) => {
    for (let at = 0; at < into.length; at += 512)
      if (position + at < end) header.copy(into, at);
      else last.copy(into, at, position + at - end);
  });
  assert.equal((await open(file)).find("a")?.size, 0);
});

test("large members are not read to find the next one", async () => {
  const size = 8 * 2 ** 40;
  const header = tarHeader({ name: "a", size: Buffer.from("800000000000080000000000", "hex") });
  const { file, read } = fileOf(512 + size + 1024, (into, position) => {
    into.fill(0);
    if (position === 0) header.copy(into);
  });
  assert.deepEqual((await open(file)).find("a"), { offset: 512, size, type: "0", linkName: "" });
  assert.ok(read() < 1e6);
});

test("whatever bytes an archive has, it is read or refused, and its members lie in it", async () => {
  const whole = makeTar([
    { name: "x", type: "x", content: paxRecord("path", "y".repeat(150)) + paxRecord("size", "5") },
    { name: "a", content: "12345" },
    { name: "L", type: "L", content: `${"z".repeat(200)}\0` },
    { name: "b", content: "x".repeat(600) },
    { name: "c", type: "2", linkName: "b" },
    { name: "d/", type: "5" },
  ]);
  const random = seededBytes("tar", 4 * 20_000);
  const outcomes = { read: 0, refused: 0 };
  for (let run = 0; run < 5_000; run++) {
    const bytes = Buffer.from(whole);
    const changes = 1 + (random.readUInt8(run) % 4);
    for (let i = 0; i < changes; i++) {
      const at = random.readUInt16LE((run * 4 + i) * 4) % bytes.length;
      bytes[at] = random.readUInt8((run * 4 + i) * 4 + 2);
    }
    // Half of them get a right checksum again, so that what is behind it is reached.
    if (run % 2 === 0) mendChecksums(bytes);
    const { file } = fileOf(bytes.length, (into, position) => bytes.copy(into, 0, position));
    try {
      const archive = await open(file);
      for (const name of ["a", "y".repeat(150), "z".repeat(200), "b", "c"]) {
        const region = regionOf(() => archive.find(name));
        assert.ok(region === undefined || region.offset + region.size <= bytes.length);
      }
      outcomes.read++;
    } catch (error) {
      assert.ok(failure("manifest_invalid")(error), String(error));
      outcomes.refused++;
    }
  }
  assert.ok(outcomes.read > 500 && outcomes.refused > 500, JSON.stringify(outcomes));
});

function regionOf<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof CopyError) return undefined;
    throw error;
  }
}

/** As if the header at each block had been written so. */
function mendChecksums(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString("latin1", 257, 262) !== "ustar") continue;
    block.write("        ", 148);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  }
}
