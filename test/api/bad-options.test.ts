// Options that contradict one another: what the border tells of them, all at once. Rows without a pointer are accepted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOrder } from "../../src/api/request.ts";
import { CopyError } from "../../src/errors.ts";
import { OCI_MANIFEST, SCHEMA1_SIGNED, SCHEMA2 } from "../../src/image/media-types.ts";
import { ORDER } from "../support/api.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const all = { imageListSelection: "all" };
const one = { imageListSelection: "specific", instances: [DIGEST] };
const variant = (algorithm: string, level?: number) => ({
  algorithm,
  ...(level !== undefined && { level }),
});
const ensure = (...variants: readonly object[]) => ({
  ...all,
  ensureCompressionVariantsExist: variants,
});

const TABLE: readonly (readonly [rule: string, body: object, ...pointers: readonly string[]])[] = [
  ["nothing contradicts itself", {}],
  [
    "a format that is forced must be given",
    { options: { forceCompressionFormat: true } },
    "/options/forceCompressionFormat",
  ],
  [
    "a format that is forced is given",
    {
      options: { forceCompressionFormat: true },
      destinationContext: { compressionFormat: "zstd" },
    },
  ],
  ["a format that is not forced need not be given", { options: { forceCompressionFormat: false } }],
  ["a level alone is gzip's", { destinationContext: { compressionLevel: 9 } }],
  [
    "gzip's levels end at 9",
    { destinationContext: { compressionLevel: 10 } },
    "/destinationContext/compressionLevel",
  ],
  [
    "zstd's levels go on",
    { destinationContext: { compressionFormat: "zstd", compressionLevel: 22 } },
  ],
  [
    "variants are for whole lists",
    { options: { ensureCompressionVariantsExist: [variant("zstd")] } },
    "/options/ensureCompressionVariantsExist",
  ],
  [
    "variants are not for parts of a list",
    { options: { ...one, ensureCompressionVariantsExist: [variant("zstd")] } },
    "/options/ensureCompressionVariantsExist",
  ],
  ["no variants are no contradiction", { options: { ensureCompressionVariantsExist: [] } }],
  [
    "a list gets variants",
    { options: ensure(variant("gzip", 9), variant("zstd", 22), variant("zstd:chunked")) },
  ],
  [
    "a variant is asked for once",
    { options: ensure(variant("zstd", 3), variant("gzip"), variant("zstd", 9)) },
    "/options/ensureCompressionVariantsExist/2/algorithm",
  ],
  [
    "a variant's level is its algorithm's",
    { options: ensure(variant("gzip", 10)) },
    "/options/ensureCompressionVariantsExist/0/level",
  ],
  [
    "docker's manifests know no zstd",
    {
      options: { forceManifestMimeType: SCHEMA2 },
      destinationContext: { compressionFormat: "zstd" },
    },
    "/destinationContext/compressionFormat",
  ],
  [
    "docker's old manifests know no zstd:chunked",
    {
      options: { forceManifestMimeType: SCHEMA1_SIGNED },
      destinationContext: { compressionFormat: "zstd:chunked" },
    },
    "/destinationContext/compressionFormat",
  ],
  [
    "docker's manifests have no variants in zstd",
    {
      options: { ...ensure(variant("gzip"), variant("zstd")), forceManifestMimeType: SCHEMA2 },
    },
    "/options/ensureCompressionVariantsExist/1/algorithm",
  ],
  [
    "docker's manifests know gzip",
    {
      options: { forceManifestMimeType: SCHEMA2 },
      destinationContext: { compressionFormat: "gzip" },
    },
  ],
  [
    "OCI manifests know zstd",
    {
      options: { forceManifestMimeType: OCI_MANIFEST },
      destinationContext: { compressionFormat: "zstd" },
    },
  ],
  [
    "a single image has no list to strip",
    { options: { sparseManifestListAction: "strip" } },
    "/options/sparseManifestListAction",
  ],
  ["a list that is kept is what happens anyway", { options: { sparseManifestListAction: "keep" } }],
  ["parts of a list can be all of it", { options: { ...one, sparseManifestListAction: "strip" } }],
  [
    "parts of a list by platform can be all of it",
    {
      options: {
        imageListSelection: "specific",
        platforms: ["linux/amd64"],
        sparseManifestListAction: "strip",
      },
    },
  ],
  [
    "a list without images is none",
    { options: { ...one, instances: [], platforms: [], sparseManifestListAction: "strip" } },
    "/options/sparseManifestListAction",
  ],
  ["a list alone still names its images", { options: { ...one, instances: [] } }],
  [
    "a single image has no list's signatures",
    { options: { removeListSignatures: true } },
    "/options/removeListSignatures",
  ],
  ["a list has signatures", { options: { ...all, removeListSignatures: true } }],
  ["parts of a list have its signatures", { options: { ...one, removeListSignatures: true } }],
  ["gzip is preferred among images for one platform", { options: { preferGzipInstances: true } }],
  [
    "with all images there is nothing to prefer",
    { options: { ...all, preferGzipInstances: true } },
    "/options/preferGzipInstances",
  ],
  [
    "with some images there is nothing to prefer",
    { options: { ...one, preferGzipInstances: true } },
    "/options/preferGzipInstances",
  ],
  [
    "a registry's files have no times",
    { options: { destinationTimestamp: "2026-01-01T00:00:00Z" } },
    "/options/destinationTimestamp",
  ],
  [
    "a registry takes one tag",
    { options: { additionalTags: ["a.example/b:c"] } },
    "/options/additionalTags",
  ],
  ["no more tags are no contradiction", { options: { additionalTags: [] } }],
  [
    "a tag is a name and a tag",
    { options: { additionalTags: ["a.example/b", `b:c@${DIGEST}`, "b:1", "B:1", "b:", "-"] } },
    "/options/additionalTags",
    "/options/additionalTags/0",
    "/options/additionalTags/1",
    "/options/additionalTags/3",
    "/options/additionalTags/4",
    "/options/additionalTags/5",
  ],
  ["a registry lists referrers", { options: { referrers: true } }],
  ["a layout lists referrers", { destination: "oci:x:1", options: { referrers: true } }],
  ["so does one in an archive", { destination: "oci-archive:x", options: { referrers: true } }],
  [
    "a folder has no referrers",
    { destination: "dir:x", options: { referrers: true } },
    "/options/referrers",
  ],
  ["a folder without referrers", { destination: "dir:x", options: { referrers: false } }],
  [
    "all faults are told at once",
    {
      options: {
        removeListSignatures: true,
        forceCompressionFormat: true,
        destinationTimestamp: "1969-12-31T23:59:60Z",
      },
      destinationContext: { compressionLevel: 22 },
    },
    "/destinationContext/compressionLevel",
    "/options/destinationTimestamp",
    "/options/destinationTimestamp",
    "/options/forceCompressionFormat",
    "/options/removeListSignatures",
  ],
];

for (const [rule, body, ...pointers] of TABLE)
  test(rule, () => {
    assert.deepEqual(pointersOf({ ...ORDER, ...body }), pointers);
  });

const TIMES: readonly (readonly [text: string, isTime: boolean])[] = [
  ["1970-01-01T00:00:00Z", true],
  ["2026-01-01T00:00:00.5+02:00", true],
  ["2026-01-01t00:00:00z", true],
  ["1969-12-31T23:59:59Z", false],
  ["2026-01-01 00:00:00Z", false],
  ["2016-12-31T23:59:60Z", false],
];
for (const [text, isTime] of TIMES)
  test(`a time of files: ${text}`, () => {
    const faults = pointersOf({ ...ORDER, options: { destinationTimestamp: text } });
    // One is that a registry has no files.
    assert.equal(faults.length, isTime ? 1 : 2);
  });

/** Where the answer to a body that the schema lets pass points. */
function pointersOf(body: object): readonly string[] {
  try {
    parseOrder(body, [], { dataDir: "/data", registries: { mustVerify: false } });
    return [];
  } catch (error) {
    assert.ok(error instanceof CopyError && error.code === "invalid_request");
    const { errors = [] } = error.context;
    assert.ok(errors.every(({ detail }) => detail.length > 10));
    return errors.map(({ pointer }) => pointer).toSorted();
  }
}
