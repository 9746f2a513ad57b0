import assert from "node:assert/strict";
import { test } from "node:test";
import { decideConversion, mayReuse, staysForeign, UNTOUCHED } from "../../src/copy/layers.ts";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST, SCHEMA1, SCHEMA2 } from "../../src/image/media-types.ts";

// semantics 4.6: the first row that fits
const CONVERSIONS: readonly (readonly [
  what: string,
  given: readonly [...Parameters<typeof decideConversion>],
  expected: ReturnType<typeof decideConversion>,
])[] = [
  [
    "what may not change is not touched, whatever is wished",
    [undefined, { layers: "compress", format: "zstd" }, false],
    UNTOUCHED,
  ],
  [
    "uncompressed, to be compressed: gzip where nothing is asked for",
    [undefined, { layers: "compress" }, true],
    { action: "compress", to: "gzip", operation: "compress", compression: "gzip" },
  ],
  [
    "uncompressed, to be compressed as was asked for",
    [undefined, { layers: "compress", format: "zstd:chunked" }, true],
    { action: "compress", to: "zstd:chunked", operation: "compress", compression: "zstd:chunked" },
  ],
  [
    "gzip stays gzip where nothing is asked for",
    ["gzip", { layers: "compress" }, true],
    { action: "keep", operation: "preserve", compression: "gzip" },
  ],
  [
    "zstd stays zstd where nothing is asked for",
    ["zstd", { layers: "compress" }, true],
    { action: "keep", operation: "preserve", compression: "zstd" },
  ],
  [
    "gzip becomes the zstd that was asked for",
    ["gzip", { layers: "compress", format: "zstd" }, true],
    { action: "recompress", to: "zstd", operation: "preserve", compression: "zstd" },
  ],
  [
    "bzip2 becomes the gzip that was asked for",
    ["bzip2", { layers: "compress", format: "gzip" }, true],
    { action: "recompress", to: "gzip", operation: "preserve", compression: "gzip" },
  ],
  [
    "zstd:chunked is zstd enough",
    ["zstd:chunked", { layers: "compress", format: "zstd" }, true],
    { action: "keep", operation: "preserve", compression: "zstd:chunked" },
  ],
  [
    "zstd is not zstd:chunked",
    ["zstd", { layers: "compress", format: "zstd:chunked" }, true],
    {
      action: "recompress",
      to: "zstd:chunked",
      operation: "preserve",
      compression: "zstd:chunked",
    },
  ],
  [
    "compressed, to be uncompressed",
    ["xz", { layers: "decompress" }, true],
    { action: "decompress", operation: "decompress", compression: undefined },
  ],
  [
    "uncompressed, to be uncompressed",
    [undefined, { layers: "decompress" }, true],
    { action: "keep", operation: "decompress", compression: undefined },
  ],
  [
    "preserved, and told as what it is",
    ["gzip", { layers: "preserve", format: "zstd" }, true],
    { action: "keep", operation: "preserve", compression: "gzip" },
  ],
  [
    "preserved, and told as uncompressed",
    [undefined, { layers: "preserve" }, true],
    { action: "keep", operation: "decompress", compression: undefined },
  ],
];
for (const [what, given, expected] of CONVERSIONS)
  test(`a layer: ${what}`, () => assert.deepEqual(decideConversion(...given), expected));

// semantics 11.3, L
const REUSE: readonly (readonly [
  format: "gzip" | "zstd" | "zstd:chunked" | undefined,
  types: readonly string[],
  candidate: Parameters<typeof mayReuse>[0],
  ok: boolean,
])[] = [
  ["zstd", [], "zstd:chunked", true],
  ["zstd:chunked", [], "zstd", false],
  ["gzip", [], "zstd", false],
  ["zstd", [], "none", false],
  ["zstd", [], undefined, false],
  [undefined, [SCHEMA2], "zstd", false],
  [undefined, [SCHEMA2, SCHEMA1, OCI_MANIFEST], "zstd", true],
  [undefined, [SCHEMA2], "gzip", true],
  ["zstd", [SCHEMA2], "zstd", false],
  [undefined, [SCHEMA2], "none", true],
  [undefined, [SCHEMA2], undefined, true],
  [undefined, [OCI_MANIFEST], "bzip2", false],
];
for (const [format, types, candidate, ok] of REUSE) {
  test(`a ${candidate} blob ${ok ? "may" : "may not"} take the place of one in ${format} in [${types.join(", ")}]`, () => {
    const wish = { required: format !== undefined, types, ...(format !== undefined && { format }) };
    assert.equal(mayReuse(candidate, wish), ok);
  });
}

test("a format that is only wished for keeps nothing from being reused", () => {
  assert.equal(mayReuse("gzip", { required: false, format: "zstd", types: [] }), true);
});

test("a foreign layer stays where it is unless it is to be downloaded, or the destination cannot name it", () => {
  const layer = {
    mediaType: "x",
    digest: digestOf(Buffer.from("a")),
    size: 1,
    urls: ["https://e/x"],
  };
  const keeps = { keepsForeignLayers: true };
  assert.equal(staysForeign(layer, keeps, { downloadForeignLayers: false }), true);
  assert.equal(staysForeign(layer, keeps, { downloadForeignLayers: true }), false);
  assert.equal(
    staysForeign(layer, { keepsForeignLayers: false }, { downloadForeignLayers: false }),
    false,
  );
  const { urls: _, ...usual } = layer;
  assert.equal(staysForeign(usual, keeps, { downloadForeignLayers: false }), false);
});
