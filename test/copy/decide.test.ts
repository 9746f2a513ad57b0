import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkDestinationDigest,
  chooseImageTypes,
  chooseListTypes,
  decideAboutTag,
  mayChange,
} from "../../src/copy/decide.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";

const code = (expected: string) => (error: unknown) =>
  error instanceof CopyError && error.code === expected;
const a = digestOf(Buffer.from("a"));
const b = digestOf(Buffer.from("b"));
const no = { reason: "because" };
const ASKED = {
  own: OCI_MANIFEST,
  accepted: [],
  forced: undefined,
  may: true,
  compression: undefined,
} as const;

// semantics 1.4
for (const [what, given, expected] of [
  [
    "nothing forbids it",
    { keptSignatures: 0, destinationDigest: undefined, preserveDigests: false, referrers: false },
    true,
  ],
  [
    "signatures are kept",
    { keptSignatures: 1, destinationDigest: undefined, preserveDigests: false, referrers: false },
    /signatures/,
  ],
  [
    "its referrers are copied, too",
    { keptSignatures: 1, destinationDigest: undefined, preserveDigests: false, referrers: true },
    /referrers/,
  ],
  [
    "the destination names a digest",
    { keptSignatures: 1, destinationDigest: a, preserveDigests: false, referrers: true },
    /digest/,
  ],
  [
    "digests are to be preserved",
    { keptSignatures: 1, destinationDigest: a, preserveDigests: true, referrers: true },
    /preserveDigests/,
  ],
] as const) {
  test(`the manifest ${expected === true ? "may" : "may not"} change when ${what}`, () => {
    const may = mayChange(given);
    if (expected === true) assert.equal(may, true);
    else assert.match(may === true ? "" : may.reason, expected);
  });
}

type Question = Partial<Parameters<typeof chooseImageTypes>[0]>;
const S1 = SCHEMA1;
const S1S = SCHEMA1_SIGNED;
const S2 = SCHEMA2;
const OCI = OCI_MANIFEST;
const registry = [OCI, S2, OCI_INDEX, DOCKER_LIST, S1S, S1];

// semantics 3.2 (containers/image, copy/manifest_test.go, TestDetermineManifestConversion)
const IMAGE_TYPES: readonly (readonly [string, Question, readonly string[]])[] = [
  ["anything is taken: its own first", { own: S2, accepted: [] }, [S2, S1S, OCI, S1]],
  ["anything is taken, of OCI", { own: OCI, accepted: [] }, [OCI, S2, S1S, S1]],
  ["schema 1 stays itself where it is taken", { own: S1, accepted: registry }, [S1, S2, S1S, OCI]],
  ["signed schema 1 as well", { own: S1S, accepted: registry }, [S1S, S2, OCI, S1]],
  ["schema 2 to a registry", { own: S2, accepted: registry }, [S2, S1S, OCI, S1]],
  ["OCI to a registry", { own: OCI, accepted: registry }, [OCI, S2, S1S, S1]],
  ["schema 2 to a layout", { own: S2, accepted: [OCI, OCI_INDEX] }, [OCI]],
  ["schema 1 to a layout", { own: S1S, accepted: [OCI, OCI_INDEX] }, [OCI]],
  ["OCI to an archive of docker's", { own: OCI, accepted: [S2] }, [S2]],
  ["OCI where schema 2 is named first", { own: OCI, accepted: [S2, OCI] }, [OCI, S2]],
  [
    "what is not listed goes as schema 2 first",
    { own: OCI, accepted: [S1, S1S, S2] },
    [S2, S1S, S1],
  ],
  ["the rest keeps the destination's order", { own: "x/y", accepted: [S1, OCI] }, [S1, OCI]],
  ["a type is forced", { own: OCI, accepted: registry, forced: S2 }, [S2]],
  ["a forced type need not be listed", { own: OCI, accepted: [OCI], forced: S2 }, [S2]],
  ["a forced type that it has", { own: S2, accepted: registry, forced: S2 }, [S2]],
  ["nothing may change", { own: S2, accepted: [OCI], may: no }, [S2]],
  [
    "nothing may change, whatever is forced",
    { own: S2, accepted: [OCI], may: no, forced: OCI },
    [S2],
  ],
  [
    "gzip fits everywhere",
    { own: S2, accepted: registry, compression: "gzip" },
    [S2, S1S, OCI, S1],
  ],
  ["zstd needs OCI", { own: S2, accepted: registry, compression: "zstd" }, [OCI]],
  ["zstd:chunked needs OCI", { own: S2, accepted: [], compression: "zstd:chunked" }, [OCI]],
  ["zstd, and it is OCI", { own: OCI, accepted: registry, compression: "zstd" }, [OCI]],
];
for (const [what, question, expected] of IMAGE_TYPES) {
  test(`the types of an image: ${what}`, () => {
    const plan = chooseImageTypes({ ...ASKED, ...question });
    assert.deepEqual([plan.preferred, ...plan.others], expected);
  });
}

// The errors of semantics 3.2, step 3: they come before it is asked whether anything may change.
const REFUSED: readonly (readonly [string, Question, RegExp])[] = [
  ["zstd to an archive", { accepted: [S2], compression: "zstd" }, /destination takes/],
  ["zstd as a forced schema 2", { forced: S2, compression: "zstd" }, /forceManifestMimeType/],
  ["zstd where nothing may change", { accepted: [S2], compression: "zstd", may: no }, /OCI/],
  ["bzip2 nowhere", { accepted: [], compression: "bzip2" }, /bzip2/],
];
for (const [what, question, words] of REFUSED) {
  test(`no type for ${what}`, () => {
    assert.throws(
      () => chooseImageTypes({ ...ASKED, ...question }),
      (error) => code("manifest_rejected")(error) && words.test((error as Error).message),
    );
  });
}

// semantics 1.5, steps 5 to 7
const LIST_TYPES: readonly (readonly [string, Question, readonly string[]])[] = [
  ["anything is taken", { own: OCI_INDEX, accepted: [] }, [OCI_INDEX, DOCKER_LIST]],
  ["its own is taken", { own: DOCKER_LIST, accepted: registry }, [DOCKER_LIST, OCI_INDEX]],
  ["another is taken", { own: DOCKER_LIST, accepted: [OCI, OCI_INDEX] }, [OCI_INDEX]],
  ["OCI is forced", { own: DOCKER_LIST, accepted: registry, forced: OCI }, [OCI_INDEX]],
  ["schema 2 is forced", { own: OCI_INDEX, accepted: registry, forced: S2 }, [DOCKER_LIST]],
  ["schema 1 is forced", { own: OCI_INDEX, accepted: registry, forced: S1S }, [DOCKER_LIST]],
  ["nothing may change", { own: OCI_INDEX, accepted: registry, may: no }, [OCI_INDEX]],
];
for (const [what, question, expected] of LIST_TYPES) {
  test(`the types of a list: ${what}`, () => {
    const plan = chooseListTypes({ ...ASKED, ...question });
    assert.deepEqual([plan.preferred, ...plan.others], expected);
  });
}

test("a list does not go where only images are taken", () => {
  assert.throws(
    () => chooseListTypes({ ...ASKED, own: OCI_INDEX, accepted: [S2] }),
    code("lists_not_supported"),
  );
});

test("a list that may not change does not go where it had to become another type", () => {
  assert.throws(
    () => chooseListTypes({ ...ASKED, own: DOCKER_LIST, accepted: [OCI_INDEX], may: no }),
    code("digest_not_preserved"),
  );
});

test("a digested destination takes what it names, the list of the image included, and nothing else", () => {
  checkDestinationDigest(undefined, [a]);
  checkDestinationDigest(a, [a]);
  checkDestinationDigest(a, [b, a]);
  assert.throws(() => checkDestinationDigest(a, [b]), code("digest_not_preserved"));
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
