// Layers that are more than they look (reliability T24): where they are to be converted they are refused, where not they are bytes as any.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_LAYER, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { piped } from "../support/compressed.ts";
import { makeImage } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import { missing } from "../support/peers.ts";
import type { Given } from "./copy-between.ts";
import { assertWithin, useCopier } from "./copier.ts";
import { assertClean, shownAt } from "./destinations.ts";
import { honest, withTop, type HostileImage } from "./sources.ts";

const { bench, copier } = useCopier();
const MIB = 1024 * 1024;
const zeros = Buffer.alloc(16 * MIB);
const repeated = (stream: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => stream));

/** An image of one layer. */
function imageOf(layer: Buffer, suffix = ""): HostileImage {
  const base = honest(makeImage({ seed: "bomb" }));
  const digest = digestOf(layer);
  const layers = [{ mediaType: `${OCI_LAYER}${suffix}`, digest, size: layer.length }];
  return {
    ...withTop(base, OCI_MANIFEST, { ...documentOf(base.top), layers }),
    blobs: new Map([...base.blobs, [digest, layer]]),
  };
}

/** Where a layer is made anew: compressed in another way, and not compressed at all. */
const CONVERTING: readonly (readonly ["oci, fresh" | "dir, fresh", Given])[] = [
  ["oci, fresh", { compression: { format: "gzip" }, options: { forceCompressionFormat: true } }],
  ["dir, fresh", { destination: { dirForceDecompress: true } }],
];
const [COMPRESSING, DECOMPRESSING] = CONVERTING as [(typeof CONVERTING)[0], (typeof CONVERTING)[0]];
/** Workers and their buffers are there only once something is converted. */
const BOUNDS = { grownMiB: 192, ms: 30_000 };

/** A zstd frame that asks for a window of so many bytes, and has a byte of content. */
const windowOf = (log: number): Buffer =>
  Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 0x09, 0, 0, 0);

type Row = readonly [name: string, suffix: string, make: () => Buffer, at: typeof CONVERTING];

const ROWS: readonly Row[] = [
  ["zstd", "+zstd", () => repeated(zstdCompressSync(zeros), 64), CONVERTING],
  ["zstd with a window of 1 GiB", "+zstd", () => windowOf(30), CONVERTING],
  ["zstd with a window of 1 TiB", "+zstd", () => windowOf(40), CONVERTING],
  ["zstd cut off", "+zstd", () => zstdCompressSync(zeros).subarray(0, -4), CONVERTING],
  ["gzip cut off", "+gzip", () => gzipSync(zeros).subarray(0, -4), [DECOMPRESSING]],
  [
    "gzip with a wrong checksum",
    "+gzip",
    () => Buffer.concat([gzipSync(zeros).subarray(0, -8), Buffer.alloc(8)]),
    [DECOMPRESSING],
  ],
];
/** Their decoders are slow: once will do. */
const BY_PROGRAMS: readonly Row[] = [
  ["bzip2", "", () => repeated(piped("bzip2", ["-c"], zeros), 5), [DECOMPRESSING]],
  ["xz", "", () => repeated(piped("xz", ["-c"], zeros), 5), [COMPRESSING]],
];

function refuse([name, suffix, make, at]: Row): void {
  test(`a layer of ${name} is refused where it is to be converted, and copied byte for byte where not`, async () => {
    const source = await bench().place("docker", imageOf(make(), suffix));
    const expected = { code: "layer_invalid" } as const;
    for (const [kind, given] of at)
      await copier().assertRefused(source, expected, given, bench().destination(kind), BOUNDS);
    const given = { options: { preserveDigests: true } };
    for (const kind of ["oci, fresh", "docker, fresh", "dir, fresh"] as const) {
      const order = { source, destination: bench().destination(kind), given };
      const measured = await copier().copy(order);
      assert.equal(measured.code, "copied", measured.message);
      assertWithin(measured);
    }
  });
}

for (const row of ROWS) refuse(row);
describe("of other programs", { skip: missing("bzip2", "xz") }, () => {
  for (const row of BY_PROGRAMS) refuse(row);
});

test("gzip that is 100 GiB large is converted for as long as the job may run, in little memory, and then ends at once", async () => {
  const source = await bench().place("docker", imageOf(repeated(gzipSync(zeros), 6_400), "+gzip"));
  const given = {
    compression: { format: "zstd" },
    options: { forceCompressionFormat: true },
  } as const;
  const destination = bench().destination("oci, fresh");
  const measured = await copier().copy({ source, destination, given, abortAfterMs: 1500 });
  assert.match(measured.code, /TimeoutError/);
  assertWithin(measured, { ...BOUNDS, ms: 5000 });
  assert.equal(await shownAt(destination, bench()), "nothing");
  await assertClean(bench());
});

test("gzip in gzip is taken apart once", async () => {
  const source = await bench().place("docker", imageOf(gzipSync(gzipSync(zeros)), "+gzip"));
  const [kind, given] = DECOMPRESSING;
  const measured = await copier().copy({ source, destination: bench().destination(kind), given });
  assert.equal(measured.code, "copied");
  assertWithin(measured, BOUNDS);
});
