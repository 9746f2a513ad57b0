// Archives as sources of lies, and as destinations that must not show anything of one.

import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { hexOf } from "../../src/image/digest.ts";
import { makePlainImage } from "../support/archives.ts";
import { makeImage, makeList, seededBytes } from "../support/images.ts";
import { makeTar, paxRecord, tarHeader, type TarMember } from "../support/raw-tar.ts";
import { assertWithin, useCopier } from "./copier.ts";
import { honest, layoutOf, SOURCES, type HostileImage } from "./sources.ts";

const { bench, copier } = useCopier();
const MIB = 1024 * 1024;
let files = 0;

/** The bytes as a file of the data folder; returns its reference. */
async function archived(
  transport: "oci-archive" | "docker-archive",
  bytes: Buffer,
): Promise<string> {
  const name = `from-archive-${++files}.tar`;
  await writeFile(join(bench().dataDir, name), bytes);
  return `${transport}:${name}${transport === "oci-archive" ? ":v1" : ""}`;
}

const packed = (image: HostileImage, more: readonly TarMember[] = []): Buffer =>
  makeTar([...more, ...Array.from(layoutOf(image), ([name, content]) => ({ name, content }))]);
const saved = makePlainImage("saved");
const [first = Buffer.of(), second = Buffer.of()] = saved.layers;
const listed = (more: object = {}): TarMember => ({
  name: "manifest.json",
  content: JSON.stringify([
    { Config: "c.json", RepoTags: ["app:v1"], Layers: ["0.tar", "1.tar"], ...more },
  ]),
});
const config = { name: "c.json", content: saved.config };
const layers = [
  { name: "0.tar", content: first },
  { name: "1.tar", content: second },
];
const PASSWD = "/etc/passwd";

for (const [name, members] of [
  ["names a config outside", [listed({ Config: "../../../../etc/passwd" }), config, ...layers]],
  ["names a config by an absolute path", [listed({ Config: PASSWD }), config, ...layers]],
  ["names a layer outside", [listed({ Layers: ["../../etc/passwd", "1.tar"] }), config, ...layers]],
  [
    "has a config that is a link outside",
    [listed(), { name: "c.json", type: "2", linkName: PASSWD }, ...layers],
  ],
  [
    "has a layer that is a link outside",
    [
      listed(),
      config,
      { name: "0.tar", type: "2", linkName: "../../../../etc/passwd" },
      ...layers.slice(1),
    ],
  ],
  [
    "has a layer that is a hard link",
    [listed(), config, { name: "0.tar", type: "1", linkName: PASSWD }, ...layers.slice(1)],
  ],
  [
    "has a layer that is a device",
    [listed(), config, { name: "0.tar", type: "3" }, ...layers.slice(1)],
  ],
  [
    "has links that go round",
    [
      listed(),
      config,
      { name: "0.tar", type: "2", linkName: "1.tar" },
      { name: "1.tar", type: "2", linkName: "0.tar" },
    ],
  ],
  [
    "has a chain of links",
    [
      listed(),
      config,
      { name: "0.tar", type: "2", linkName: "a" },
      { name: "a", type: "2", linkName: "1.tar" },
      ...layers.slice(1),
    ],
  ],
  ["has one layer for two", [listed({ Layers: ["0.tar", "0.tar"] }), config, ...layers]],
  ["has fewer layers than its config", [listed({ Layers: ["0.tar"] }), config, ...layers]],
  [
    "has a list of a thousand parts",
    [{ ...listed(), content: `[${"[".repeat(1000)}` }, config, ...layers],
  ],
  [
    "has a manifest.json of 2 MiB",
    [{ ...listed(), content: " ".repeat(2 * MIB) }, config, ...layers],
  ],
  [
    "has a config of 5 MiB",
    [listed(), { name: "c.json", content: " ".repeat(5 * MIB) }, ...layers],
  ],
] as const satisfies readonly (readonly [string, readonly TarMember[]])[]) {
  test(`a docker archive that ${name} is refused`, async () => {
    const source = await archived("docker-archive", makeTar(members));
    await copier().assertRefused(source, { code: "manifest_invalid" });
  });
}

test("a docker archive with other layers than its config names is refused, and so is any bit that was turned over in one", async () => {
  const swapped = [
    { name: "0.tar", content: second },
    { name: "1.tar", content: first },
  ];
  const source = await archived("docker-archive", makeTar([listed(), config, ...swapped]));
  await bench().assertRefused(source, { code: "digest_mismatch" });
  const random = seededBytes("archive", 4 * 40);
  for (let i = 0; i < 40; i++) {
    const wrong = Buffer.from(first);
    const at = random.readUInt32LE(4 * i) % wrong.length;
    wrong[at] = (wrong[at] ?? 0) ^ (1 << (i % 8));
    const members = [listed(), config, { name: "0.tar", content: wrong }, ...layers.slice(1)];
    const to = bench().destination(i % 2 === 0 ? "oci, fresh" : "docker, fresh");
    await bench().assertRefused(
      await archived("docker-archive", makeTar(members)),
      { code: "digest_mismatch" },
      {},
      to,
    );
  }
});

test("a packed layout is held to its digests as any other", async () => {
  const image = makeImage({ seed: "packed" });
  for (const [digest, bytes] of image.blobs) {
    const wrong = seededBytes("wrong", bytes.length);
    for (const [code, content] of [
      ["digest_mismatch", wrong],
      ["size_mismatch", bytes.subarray(1)],
    ] as const) {
      const blobs = new Map([...image.blobs, [digest, content]]);
      const source = await archived("oci-archive", packed({ ...honest(image), blobs }));
      await bench().assertRefused(source, { code }, {}, bench().destination("oci, fresh"));
    }
  }
  const list = makeList([image]);
  const other = makeImage({ seed: "other" }).manifest;
  const manifests = new Map([[image.digest as string, other]]);
  const source = await archived("oci-archive", packed({ ...honest(list), manifests }));
  await bench().assertRefused(source, { code: "digest_mismatch" });
});

test("a packed layout whose index or blob is a link outside is refused", async () => {
  const image = makeImage({ seed: "linked" });
  for (const [digest] of image.blobs) {
    const name = `blobs/sha256/${hexOf(digest)}`;
    const link = { name, type: "2", linkName: PASSWD };
    const rest = Array.from(layoutOf(honest(image)), ([own, content]) => ({ name: own, content }));
    const members = [link, ...rest.filter((member) => member.name !== name)];
    const source = await archived("oci-archive", makeTar(members));
    await assert.rejects(bench().copy(source, bench().destination("oci, fresh")), (error) =>
      /source_not_found|manifest_invalid/.test((error as { code: string }).code),
    );
  }
});

const pax = (content: string): TarMember => ({ name: "x", type: "x", content });
const size = (hex: string) => ({ size: Buffer.from(hex, "hex") });
for (const [name, bytes] of [
  [
    "a member of negative size",
    () => tarHeader({ name: "a", ...size("ffffffffffffffffffffffff") }),
  ],
  ["a member of 2^63 bytes", () => tarHeader({ name: "a", ...size("800000007fffffffffffffff") })],
  [
    "a member that is larger than the file",
    () => tarHeader({ name: "a", ...size("800000000000000fffffffff") }),
  ],
  ["a pax header of 64 MiB", () => makeTar([pax(paxRecord("comment", "x".repeat(64 * MIB)))])],
  [
    "a name of 32 MiB",
    () => makeTar([{ name: "././@LongLink", type: "L", content: "x".repeat(32 * MIB) }]),
  ],
  [
    "a thousand pax headers",
    () =>
      makeTar(Array.from({ length: 1000 }, () => pax(paxRecord("comment", "x".repeat(60_000))))),
  ],
  [
    "a hundred thousand members and more",
    () => makeTar(Array.from({ length: 100_100 }, (_, i) => ({ name: `${i}` }))),
  ],
  ["noise", () => seededBytes("noise", MIB)],
] as const) {
  test(`an archive with ${name} is refused, in time and in little memory`, async () => {
    const made = bytes();
    for (const transport of ["docker-archive", "oci-archive"] as const)
      await copier().assertRefused(
        await archived(transport, made),
        { code: "manifest_invalid" },
        {},
        undefined,
        { ms: 30_000 },
      );
  });
}

test("an archive of nothing has no image", async () => {
  for (const bytes of [Buffer.of(), Buffer.alloc(MIB)])
    for (const [transport, code] of [
      ["docker-archive", "manifest_invalid"],
      ["oci-archive", "source_not_found"],
    ] as const)
      await bench().assertRefused(await archived(transport, bytes), { code });
});

test("a compressed archive that is more than it looks is unpacked for as long as the job may run, and leaves nothing", async () => {
  const zeros = gzipSync(Buffer.alloc(16 * MIB));
  const bomb = Buffer.concat(Array.from({ length: 200 }, () => zeros));
  for (const transport of ["docker-archive", "oci-archive"] as const) {
    const source = await archived(transport, bomb);
    const destination = bench().destination("oci, fresh");
    const measured = await copier().copy({ source, destination, given: {}, abortAfterMs: 500 });
    assert.notEqual(measured.code, "copied");
    assertWithin(measured);
  }
});

for (const kind of SOURCES) {
  test(`archives show nothing of a damaged image from ${kind}, and keep what they had`, async () => {
    const image = makeImage({ mediaTypes: "docker", seed: `into ${kind}` });
    const digest = image.layers[1]?.digest ?? assert.fail();
    const wrong = seededBytes("wrong", image.layers[1]?.size ?? 0);
    const damaged = { ...honest(image), blobs: new Map([...image.blobs, [digest, wrong]]) };
    for (const destination of [
      `oci-archive:${kind}-oci.tar:v1`,
      `docker-archive:${kind}.tar:app:v1`,
    ]) {
      const source = await bench().place(kind, damaged);
      await bench().assertRefused(source, { code: "digest_mismatch" }, {}, destination);
      await bench().copy(
        await bench().place(kind, honest(makeImage({ mediaTypes: "docker" }))),
        destination,
      );
      if (destination.startsWith("oci"))
        await bench().assertRefused(source, { code: "digest_mismatch" }, {}, destination);
    }
  });
}

test("links on the way to an archive lead nowhere outside", async () => {
  const link = join(bench().dataDir, "from-link", "archive.tar");
  await mkdir(dirname(link));
  await symlink(PASSWD, link);
  for (const transport of ["oci-archive", "docker-archive"]) {
    const refused = { code: "path_denied" } as const;
    await bench().assertRefused(`${transport}:from-link/archive.tar`, refused);
    const source = await bench().place("docker", honest(makeImage()));
    await assert.rejects(
      bench().copy(source, `${transport}:from-link/archive.tar:app:v1`),
      refused,
    );
  }
});
