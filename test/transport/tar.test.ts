import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openRegular, readAt, type RegularFile } from "../../src/transport/files.ts";
import { readArchive } from "../../src/transport/tar/archive.ts";
import { failure, makeDataDir, never } from "../support/folders.ts";
import { seededBytes } from "../support/images.ts";
import { missing } from "../support/peers.ts";
import { makeTar, paxRecord, tarHeader, tarMembers, type TarMember } from "../support/raw-tar.ts";

const AT = { side: "source" } as const;

/** Opens an archive with these bytes, and looks for a name in it. */
async function lookUp(
  archive: Buffer,
  name: string,
  kept: "first" | "last" = "first",
): Promise<string | undefined> {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), archive);
  await using file = (await openRegular(join(dir.path, "a.tar"), AT)) as RegularFile;
  const region = (await readArchive(file, kept, AT, never)).find(name);
  return region && (await readAt(file, region)).toString();
}

const found: readonly (readonly [
  rule: string,
  members: readonly TarMember[],
  name: string,
  content: string | undefined,
])[] = [
  ["a name is found", [{ name: "a", content: "1" }], "a", "1"],
  ["a name that is not there is not", [{ name: "a", content: "1" }], "b", undefined],
  ["`./` before a name means nothing", [{ name: "./a", content: "1" }], "a", "1"],
  ["`..` in a name takes back", [{ name: "x/../a", content: "1" }], "a", "1"],
  ["an absolute name is another one", [{ name: "/a", content: "1" }], "a", undefined],
  [
    "a name that leaves the archive is another one",
    [{ name: "../a", content: "1" }],
    "a",
    undefined,
  ],
  [
    "a prefix is the upper part of the name",
    [{ name: "b", prefix: "a", content: "1" }],
    "a/b",
    "1",
  ],
  [
    "GNU's archives have no prefix",
    [{ name: "b", prefix: "a", magic: "ustar  \0", content: "1" }],
    "b",
    "1",
  ],
  ["nor have those before POSIX", [{ name: "b", prefix: "a", magic: "", content: "1" }], "b", "1"],
  ["type 0 may be a NUL", [{ name: "a", type: "\0", content: "1" }], "a", "1"],
  ["a contiguous file is a file", [{ name: "a", type: "7", content: "1" }], "a", "1"],
  [
    "content is padded to blocks",
    [
      { name: "a", content: "x".repeat(513) },
      { name: "b", content: "1" },
    ],
    "b",
    "1",
  ],
  [
    "a link is followed from its folder",
    [
      { name: "d/l", type: "2", linkName: "../a" },
      { name: "a", content: "1" },
    ],
    "d/l",
    "1",
  ],
  ["a link to nothing leads to nothing", [{ name: "l", type: "2", linkName: "a" }], "l", undefined],
  [
    "a link that leaves the archive leads to nothing",
    [{ name: "l", type: "2", linkName: "../../../etc/passwd" }],
    "l",
    undefined,
  ],
  [
    "a pax path replaces the name",
    [
      { name: "x", type: "x", content: paxRecord("path", "é".repeat(100)) },
      { name: "cut", content: "1" },
    ],
    "é".repeat(100),
    "1",
  ],
  [
    "a pax size replaces the size",
    [
      { name: "x", type: "x", content: paxRecord("size", "1") },
      { name: "a", content: "1", size: Buffer.from("00000000000\0") },
      { name: "b", content: "2" },
    ],
    "b",
    "2",
  ],
  [
    "a pax header is for one member",
    [
      { name: "x", type: "x", content: paxRecord("path", "a") },
      { name: "1", content: "1" },
      { name: "b", content: "2" },
    ],
    "b",
    "2",
  ],
  [
    "a pax header for all members changes nothing",
    [
      { name: "g", type: "g", content: paxRecord("comment", "hello") },
      { name: "a", content: "1" },
    ],
    "a",
    "1",
  ],
  [
    "a GNU long name outranks a pax path",
    [
      { name: "x", type: "x", content: paxRecord("path", "pax") },
      { name: "././@LongLink", type: "L", content: "long\0" },
      { name: "1", content: "1" },
    ],
    "long",
    "1",
  ],
  [
    "a GNU long link is followed",
    [
      { name: "././@LongLink", type: "K", content: `${"a".repeat(120)}\0` },
      { name: "l", type: "2", linkName: "cut" },
      { name: "x", type: "x", content: paxRecord("path", "a".repeat(120)) },
      { name: "cut", content: "1" },
    ],
    "l",
    "1",
  ],
  [
    "a binary size is a size",
    [
      { name: "a", content: "12", size: Buffer.from("800000000000000000000002", "hex") },
      { name: "b", content: "1" },
    ],
    "b",
    "1",
  ],
  [
    "a size may be surrounded by blanks",
    [{ name: "a", content: "12", size: Buffer.from("          2 ") }],
    "a",
    "12",
  ],
  [
    "a folder and a link have no content, whatever their size says",
    [
      { name: "d/", type: "5", size: Buffer.from("00000001000\0") },
      { name: "a", content: "1" },
    ],
    "a",
    "1",
  ],
];

for (const [rule, members, name, content] of found)
  test(rule, async () => assert.equal(await lookUp(makeTar(members), name), content));

test("of two members of one name the first counts, or the last", async () => {
  const archive = makeTar([
    { name: "a", content: "1" },
    { name: "./a", content: "2" },
  ]);
  assert.equal(await lookUp(archive, "a", "first"), "1");
  assert.equal(await lookUp(archive, "a", "last"), "2");
});

test("an archive may end without its blocks of zeros, and nothing is read behind them", async () => {
  const a = tarMembers([{ name: "a", content: "1" }]);
  assert.equal(await lookUp(a, "a"), "1");
  assert.equal(await lookUp(Buffer.concat([a, Buffer.alloc(512)]), "a"), "1");
  const behind = Buffer.concat([a, Buffer.alloc(1024), tarMembers([{ name: "b" }])]);
  assert.equal(await lookUp(behind, "b"), undefined);
});

const wrongSum = makeTar([{ name: "a" }]);
wrongSum.write("b");
const big = (text: string) => ({ content: "", size: Buffer.from(text, "hex") });
const refused: readonly (readonly [why: string, archive: Buffer, words: RegExp])[] = [
  ["text", Buffer.from("hello".repeat(200)), /octal|checksum/],
  ["a wrong checksum", wrongSum, /checksum/],
  ["half a header", makeTar([{ name: "a" }]).subarray(0, 300), /cut short/],
  ["half a member", makeTar([{ name: "a", content: "x".repeat(999) }]).subarray(0, 700), /short/],
  ["a negative size", makeTar([{ name: "a", ...big("ffffffffffffffffffffffff") }]), /negative/],
  ["a size beyond all", makeTar([{ name: "a", ...big("8000000fffffffffffffffff") }]), /too large/],
  ["a size beyond the file", makeTar([{ name: "a", ...big("800000000000000fffffffff") }]), /short/],
  [
    "a size that is no number",
    makeTar([{ name: "a", size: Buffer.from("0000000000x\0") }]),
    /octal/,
  ],
  [
    "something between the zeros",
    Buffer.concat([Buffer.alloc(512), makeTar([{ name: "a" }])]),
    /end/,
  ],
  ["GNU's old sparse files", makeTar([{ name: "a", type: "S" }]), /sparse/],
  [
    "pax' sparse files",
    makeTar([{ name: "x", type: "x", content: paxRecord("GNU.sparse.major", "1") }, { name: "a" }]),
    /sparse/,
  ],
  ["a pax record of nothing", makeTar([{ name: "x", type: "x", content: "abc" }]), /pax/],
  ["a pax record that goes on", makeTar([{ name: "x", type: "x", content: "99 a=b\n" }]), /pax/],
  [
    "a pax record that stands still",
    makeTar([{ name: "x", type: "x", content: "0 a=b\n" }]),
    /pax/,
  ],
  [
    "a pax path with a NUL",
    makeTar([{ name: "x", type: "x", content: paxRecord("path", "a\0b") }]),
    /NUL/,
  ],
  [
    "a pax size below zero",
    makeTar([{ name: "x", type: "x", content: paxRecord("size", "-1") }]),
    /size/,
  ],
  [
    "a pax header of 1 GiB",
    tarHeader({ name: "x", type: "x", ...big("800000000000000040000000") }),
    /large/,
  ],
  [
    "a long name of 1 GiB",
    tarHeader({ name: "L", type: "L", ...big("800000000000000040000000") }),
    /large/,
  ],
  [
    "a long link of 1 GiB",
    tarHeader({ name: "K", type: "K", ...big("800000000000000040000000") }),
    /large/,
  ],
];

for (const [why, archive, words] of refused)
  test(`an archive with ${why} is refused`, () =>
    assert.rejects(() => lookUp(archive, "a"), failure("manifest_invalid", words)));

const special: readonly (readonly [kind: string, members: readonly TarMember[]])[] = [
  ["a hard link", [{ name: "a", type: "1", linkName: "/etc/passwd" }]],
  ["a device", [{ name: "a", type: "3" }]],
  ["a pipe", [{ name: "a", type: "6" }]],
  ["a folder", [{ name: "a/", type: "5" }]],
  [
    "a link to a link",
    [
      { name: "a", type: "2", linkName: "b" },
      { name: "b", type: "2", linkName: "c" },
      { name: "c", content: "1" },
    ],
  ],
  ["a link to itself", [{ name: "a", type: "2", linkName: "a" }]],
];

for (const [kind, members] of special)
  test(`${kind} is not read, and does not keep others from being read`, async () => {
    const archive = makeTar([...members, { name: "other", content: "1" }]);
    await assert.rejects(
      () => lookUp(archive, "a"),
      failure("manifest_invalid", /not a regular file/),
    );
    assert.equal(await lookUp(archive, "other"), "1");
  });

test("an abort ends the reading", async () => {
  await using dir = await makeDataDir();
  await writeFile(join(dir.path, "a.tar"), makeTar([{ name: "a" }]));
  await using file = (await openRegular(join(dir.path, "a.tar"), AT)) as RegularFile;
  const reason = new Error("enough");
  await assert.rejects(() => readArchive(file, "first", AT, AbortSignal.abort(reason)), reason);
});

test(
  "what GNU tar packs is found in every format it knows",
  { skip: missing("tar") },
  async (t) => {
    await using dir = await makeDataDir();
    const folder = join(dir.path, "files");
    const long = `${"deep/".repeat(30)}file`;
    await mkdir(join(folder, "deep/".repeat(30)), { recursive: true });
    const contents = new Map([
      ["short", Buffer.from("1")],
      ["empty", Buffer.alloc(0)],
      ["block", seededBytes("block", 512)],
      ["ünïcode", seededBytes("u", 100_000)],
      [long, Buffer.from("2")],
      ["x".repeat(150), Buffer.from("3")],
    ]);
    for (const [name, content] of contents) await writeFile(join(folder, name), content);
    await symlink(long, join(folder, "to-long"));
    for (const format of ["v7", "oldgnu", "gnu", "ustar", "posix"])
      await t.test(format, async () => {
        const path = join(dir.path, `${format}.tar`);
        const only = format === "v7" ? ["short", "empty", "block", "ünïcode"] : ["."];
        const exclude =
          format === "ustar" ? [`--exclude=${"x".repeat(150)}`, "--exclude=to-long"] : [];
        execFileSync("tar", [`--format=${format}`, ...exclude, "-C", folder, "-cf", path, ...only]);
        const archive = await readFile(path);
        for (const [name, content] of contents) {
          if (format === "v7" && name.length > 100) continue;
          if (format === "ustar" && name.startsWith("xxx")) continue;
          assert.equal(await lookUp(archive, name), content.toString(), name);
        }
        if (format !== "v7" && format !== "ustar")
          assert.equal(await lookUp(archive, "to-long"), "2");
      });
  },
);
