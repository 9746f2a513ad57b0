import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkDestinationDigest,
  chooseManifestType,
  decideAboutTag,
  mayChange,
  requireSameType,
  staysForeign,
} from "../../src/copy/decide.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";

const code = (expected: string) => (error: unknown) =>
  error instanceof CopyError && error.code === expected;
const a = digestOf(Buffer.from("a"));
const b = digestOf(Buffer.from("b"));
const no = { reason: "because" };
const docker = [OCI_MANIFEST, SCHEMA2, OCI_INDEX, DOCKER_LIST];
const oci = [OCI_MANIFEST, OCI_INDEX];

// semantics 1.4
for (const [what, given, expected] of [
  [
    "nothing forbids it",
    { keptSignatures: 0, destinationDigest: undefined, preserveDigests: false },
    true,
  ],
  [
    "signatures are kept",
    { keptSignatures: 1, destinationDigest: undefined, preserveDigests: false },
    /signatures/,
  ],
  [
    "the destination names a digest",
    { keptSignatures: 1, destinationDigest: a, preserveDigests: false },
    /digest/,
  ],
  [
    "digests are to be preserved",
    { keptSignatures: 1, destinationDigest: a, preserveDigests: true },
    /preserveDigests/,
  ],
] as const) {
  test(`the manifest ${expected === true ? "may" : "may not"} change when ${what}`, () => {
    const may = mayChange(given);
    if (expected === true) assert.equal(may, true);
    else assert.match(may === true ? "" : may.reason, expected);
  });
}

// semantics 3.2, 1.5
for (const [own, accepted, may, expected] of [
  [SCHEMA2, docker, true, SCHEMA2],
  [OCI_MANIFEST, docker, true, OCI_MANIFEST],
  [SCHEMA2, [], true, SCHEMA2],
  [SCHEMA2, oci, true, OCI_MANIFEST],
  [SCHEMA2, oci, no, SCHEMA2],
  [DOCKER_LIST, oci, true, OCI_INDEX],
  [DOCKER_LIST, docker, true, DOCKER_LIST],
  [DOCKER_LIST, oci, no, DOCKER_LIST],
  [OCI_INDEX, [], true, OCI_INDEX],
] as const) {
  test(`${own} goes to [${accepted.length} types]${may === true ? "" : " unchangeable"} as ${expected}`, () => {
    assert.equal(chooseManifestType(own, accepted, may), expected);
  });
}

test("a list does not go where only images are taken", () => {
  assert.throws(() => chooseManifestType(OCI_INDEX, [SCHEMA2], true), code("lists_not_supported"));
});

test("a type that would have to be converted is refused with both types named", () => {
  requireSameType(SCHEMA2, SCHEMA2);
  assert.throws(() => requireSameType(SCHEMA2, OCI_MANIFEST), code("manifest_rejected"));
});

test("a digested destination takes what it names, the list of the image included, and nothing else", () => {
  checkDestinationDigest(undefined, [a]);
  checkDestinationDigest(a, [a]);
  checkDestinationDigest(a, [b, a]);
  assert.throws(() => checkDestinationDigest(a, [b]), code("digest_not_preserved"));
});

test("a foreign layer stays where it is unless it is to be downloaded, or the destination cannot name it", () => {
  const layer = { mediaType: "x", digest: a, size: 1, urls: ["https://example.com/x"] };
  const traits = {
    manifestTypes: [],
    layers: "preserve",
    keepsForeignLayers: true,
    concurrentBlobs: true,
    signatures: false,
    referrers: false,
  } as const;
  assert.equal(staysForeign(layer, traits, { downloadForeignLayers: false }), true);
  assert.equal(staysForeign(layer, traits, { downloadForeignLayers: true }), false);
  assert.equal(
    staysForeign(layer, { ...traits, keepsForeignLayers: false }, { downloadForeignLayers: false }),
    false,
  );
  assert.equal(
    staysForeign({ mediaType: "x", digest: a, size: 1 }, traits, { downloadForeignLayers: false }),
    false,
  );
});

for (const [wish, present, expected] of [
  ["overwrite", undefined, "copy"],
  ["overwrite", b, "copy"],
  ["skip", undefined, "copy"],
  ["skip", b, "skip"],
  ["fail", undefined, "copy"],
  ["fail", a, "skip"],
  ["fail", b, "tag_exists"],
] as const) {
  test(`ifTagExists ${wish} with ${present === undefined ? "no tag" : present === a ? "the same image" : "another image"}: ${expected}`, () => {
    if (expected === "tag_exists")
      assert.throws(() => decideAboutTag(wish, present, a), code(expected));
    else assert.equal(decideAboutTag(wish, present, a), expected);
  });
}
