import assert from "node:assert/strict";
import { test } from "node:test";
import { planInstances } from "../../src/copy/instances.ts";
import type { CompressionVariant, CopyOptions } from "../../src/copy/options.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import type { ImageList } from "../../src/image/manifest/manifest.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { parsePlatform } from "../../src/image/platform.ts";
import { DEFAULTS } from "../support/options.ts";

const digest = (name: string) => digestOf(Buffer.from(name));

/** Entries as `name=platform`, with ` zstd` where the list says so. */
function listOf(entries: readonly string[], mediaType: string): ImageList {
  const instances = entries.map((entry) => {
    const [name = "", rest = ""] = entry.split("=");
    const [text = "", zstd] = rest.split(" ");
    const platform = parsePlatform(text);
    return {
      mediaType: OCI_MANIFEST,
      digest: digest(name),
      size: 1,
      ...(platform !== undefined && { platform }),
      ...(zstd !== undefined && {
        annotations: { "io.github.containers.compression.zstd": "true" },
      }),
    };
  });
  return { mediaType, instances };
}

/** The orders in words: `copy 0`, `clone 0 zstd`, `remove 1`. */
const planned = (
  entries: readonly string[],
  options: Partial<CopyOptions>,
  mediaType: string = OCI_INDEX,
): readonly string[] =>
  planInstances(listOf(entries, mediaType), {
    ...DEFAULTS,
    imageListSelection: "all",
    ...options,
  }).map((order) =>
    [order.type, order.index, ...(order.type === "clone" ? [order.variant.algorithm] : [])].join(
      " ",
    ),
  );

const two = ["a=linux/amd64", "b=linux/arm64"];
const variants = (...algorithms: CompressionVariant["algorithm"][]): Partial<CopyOptions> => ({
  ensureCompressionVariantsExist: algorithms.map((algorithm) => ({ algorithm })),
});

// semantics 1.5.1 (containers/image, copy/multiple_test.go)
const CASES: readonly (readonly [
  what: string,
  entries: readonly string[],
  options: Partial<CopyOptions>,
  expected: readonly string[],
])[] = [
  ["every image once", two, {}, ["copy 0", "copy 1"]],
  [
    "an image that is listed twice, twice",
    ["a=linux/amd64", "a=linux/amd64"],
    {},
    ["copy 0", "copy 1"],
  ],
  [
    "a clone after each image whose platform lacks the compression",
    two,
    variants("zstd"),
    ["copy 0", "clone 0 zstd", "copy 1", "clone 1 zstd"],
  ],
  [
    "no clone where another image of the platform has it",
    ["a=linux/amd64", "z=linux/amd64 zstd", "b=linux/arm64"],
    variants("zstd"),
    ["copy 0", "copy 1", "copy 2", "clone 2 zstd"],
  ],
  [
    "of several images for a platform the first is cloned",
    ["a=linux/amd64", "b=linux/amd64"],
    variants("zstd"),
    ["copy 0", "clone 0 zstd", "copy 1"],
  ],
  [
    "gzip is what an image has that does not say zstd",
    ["z=linux/amd64 zstd", "b=linux/arm64"],
    variants("gzip"),
    ["copy 0", "clone 0 gzip", "copy 1"],
  ],
  [
    "zstd:chunked is never there already",
    ["z=linux/amd64 zstd"],
    variants("zstd:chunked"),
    ["copy 0", "clone 0 zstd:chunked"],
  ],
  [
    "several compressions",
    ["a=linux/amd64"],
    variants("zstd", "gzip", "zstd:chunked"),
    ["copy 0", "clone 0 zstd", "clone 0 zstd:chunked"],
  ],
  [
    "variants of an architecture are platforms of their own",
    ["a=linux/arm/v7", "b=linux/arm/v6"],
    variants("zstd"),
    ["copy 0", "clone 0 zstd", "copy 1", "clone 1 zstd"],
  ],
  [
    "what is not chosen stays in a sparse list",
    two,
    { imageListSelection: "specific", instances: [digest("b")] },
    ["copy 1"],
  ],
  [
    "what is not chosen is stripped where that is asked for",
    two,
    { imageListSelection: "specific", instances: [digest("b")], sparseManifestListAction: "strip" },
    ["remove 0", "copy 1"],
  ],
  ["the list alone", two, { imageListSelection: "specific" }, []],
  ["an empty list", [], {}, []],
];
for (const [what, entries, options, expected] of CASES)
  test(`of a list: ${what}`, () => assert.deepEqual(planned(entries, options), expected));

test("a docker list cannot tell of zstd: its images count as gzip", () => {
  assert.deepEqual(planned(["z=linux/amd64 zstd"], variants("zstd"), DOCKER_LIST), [
    "copy 0",
    "clone 0 zstd",
  ]);
});

test("a list that would lose all its images is not written", () => {
  assert.throws(
    () => planned(two, { imageListSelection: "specific", sparseManifestListAction: "strip" }),
    (error) => error instanceof CopyError && error.code === "platform_not_found",
  );
});
