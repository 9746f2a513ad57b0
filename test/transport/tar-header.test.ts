import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Extensions } from "../../src/transport/tar/extended.ts";
import {
  formatHeader,
  parseHeader,
  type NewMember,
  type TarHeader,
} from "../../src/transport/tar/header.ts";
import { makeDataDir } from "../support/folders.ts";
import { missing } from "../support/peers.ts";

test("headers are written so that they are read back", async (t) => {
  const members: readonly (readonly [what: string, member: NewMember])[] = [
    ["a file", { name: "a", type: "file", size: 5, mode: 0o444 }],
    ["a file of 8 GiB", { name: "a", type: "file", size: 8 * 1024 ** 3, mode: 0o444 }],
    ["a folder", { name: "a/b/", type: "folder", size: 0, mode: 0o755 }],
    ["a link", { name: "a", type: "link", size: 0, mode: 0, linkName: "../b" }],
    ["a long name", { name: `d/${"é".repeat(200)}`, type: "file", size: 0, mode: 0 }],
    ["a long link", { name: "a", type: "link", size: 0, mode: 0, linkName: "b".repeat(300) }],
    ["a time before 1970", { name: "a", type: "file", size: 0, mode: 0, modified: -1 }],
    ["a time beyond 2242", { name: "a", type: "file", size: 0, mode: 0, modified: 2 ** 34 }],
  ];
  for (const [what, member] of members)
    await t.test(what, () => {
      const extensions = new Extensions();
      const blocks = formatHeader(member);
      let at = 0;
      let header = parseHeader(blocks.subarray(0, 512)) as TarHeader;
      for (
        ;
        Extensions.isOne(header);
        header = parseHeader(blocks.subarray(at, at + 512)) as TarHeader
      ) {
        extensions.add(header, blocks.subarray(at + 512, at + 512 + header.size));
        at += 512 + Math.ceil(header.size / 512) * 512;
      }
      assert.equal(blocks.length, at + 512);
      const { name, size, linkName } = extensions.applyTo(header);
      assert.deepEqual(
        { name, size, linkName },
        { name: member.name, size: member.size, linkName: member.linkName ?? "" },
      );
    });
});

test("a header has as many blocks whatever its size is", () => {
  for (const name of ["a", "x".repeat(200)]) {
    const lengths = [0, 1, 8 * 1024 ** 3].map(
      (size) => formatHeader({ name, type: "file", size, mode: 0 }).length,
    );
    assert.equal(new Set(lengths).size, 1);
  }
});

test("GNU tar reads what is written", { skip: missing("tar") }, async () => {
  await using dir = await makeDataDir();
  const path = join(dir.path, "a.tar");
  const members: readonly NewMember[] = [
    { name: "d/", type: "folder", size: 0, mode: 0o755, modified: -86_400 },
    { name: `d/${"x".repeat(150)}`, type: "file", size: 0, mode: 0o444, modified: 2 ** 34 },
    { name: "l", type: "link", size: 0, mode: 0, linkName: "y".repeat(150) },
  ];
  await writeFile(path, Buffer.concat([...members.map(formatHeader), Buffer.alloc(1024)]));
  const listed = execFileSync("tar", ["--utc", "--full-time", "-tvf", path], { encoding: "utf8" });
  assert.match(listed, /^drwxr-xr-x .* 1969-12-31 00:00:00 d\/\n/);
  assert.match(listed, /\n-r--r--r-- .* 2514-05-30 01:53:04 d\/x{150}\n/);
  assert.match(listed, /\nl--------- .* l -> y{150}\n$/);
});
