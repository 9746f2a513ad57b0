import assert from "node:assert/strict";
import { test } from "node:test";
import type { KnownCompression } from "../../src/copy/blob-info-cache.ts";
import type { Digest } from "../../src/image/digest.ts";
import { prioritize } from "../../src/jobs/candidates.ts";
import type { KnownBlob } from "../../src/jobs/known-blobs.ts";

/** Digests whose order is that of the letters. */
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
const letterOf = (of: Digest) => of.slice(-1);

/** `places`: repositories, seen at these times. */
function known(
  letter: string,
  facts: {
    content?: string;
    compression?: KnownCompression;
    seen?: number;
    places?: Readonly<Record<string, number>>;
  } = {},
): KnownBlob {
  const { content, compression, seen = 1, places = {} } = facts;
  return {
    digest: digest(letter),
    size: 10,
    seen,
    ...(content !== undefined && { uncompressed: digest(content) }),
    ...(compression !== undefined && { compression }),
    places: Object.entries(places).map(([repository, at]) => ({ repository, seen: at })),
  };
}

const GZIP = { content: "f", compression: "gzip" } as const;
const ZSTD = { content: "f", compression: "zstd" } as const;
const PLAIN = { content: "f", compression: "none" } as const;

interface Row {
  readonly says: string;
  readonly known: readonly KnownBlob[];
  readonly substitutes?: false;
  readonly registry?: null;
  /** Each `<digest>@<repository>`, or `<digest>` of a blob whose place is not known. The blob `a` is asked for. */
  readonly expected: readonly string[];
}

const TABLE: readonly Row[] = [
  { says: "nothing is known, nothing is told", known: [], expected: [] },
  {
    says: "the blob itself is told with each of its places, the latest first",
    known: [known("a", { places: { old: 1, new: 3, middle: 2 } })],
    expected: ["a@new", "a@middle", "a@old"],
  },
  {
    says: "the blob itself without a place is no candidate: the destination was asked for it",
    known: [known("a", GZIP)],
    expected: [],
  },
  {
    says: "the blob itself comes first though others were seen later, the uncompressed one last though it was seen last",
    known: [
      known("f", { ...PLAIN, places: { x: 9 } }),
      known("b", { ...ZSTD, places: { x: 5 } }),
      known("a", { ...GZIP, places: { x: 1 } }),
      known("c", { ...ZSTD, places: { x: 7 } }),
    ],
    expected: ["a@x", "c@x", "b@x", "f@x"],
  },
  {
    says: "the blob itself comes first where it is the uncompressed one",
    known: [
      known("b", { content: "a", compression: "gzip", places: { x: 9 } }),
      known("a", { content: "a", compression: "none", places: { x: 1 } }),
    ],
    expected: ["a@x", "b@x"],
  },
  {
    says: "blobs that were seen at the same time come in the order of their digests",
    known: [
      known("a", GZIP),
      known("c", { ...ZSTD, places: { x: 1 } }),
      known("b", { ...ZSTD, places: { x: 1 } }),
    ],
    expected: ["b@x", "c@x"],
  },
  {
    says: "without leave to substitute, only the blob itself is told",
    substitutes: false,
    known: [
      known("a", { ...GZIP, places: { x: 1 } }),
      known("b", { ...ZSTD, places: { x: 1 } }),
      known("f", { ...PLAIN, places: { x: 1 } }),
    ],
    expected: ["a@x"],
  },
  {
    says: "a blob whose compression is not known stands for no other",
    known: [known("a", GZIP), known("b", { content: "f", places: { x: 1 } })],
    expected: [],
  },
  {
    says: "the blob itself is told though its compression is not known",
    known: [known("a", { places: { x: 1 } })],
    expected: ["a@x"],
  },
  {
    says: "a blob of other content stands for no other",
    known: [known("a", GZIP), known("b", { ...ZSTD, content: "e", places: { x: 1 } })],
    expected: [],
  },
  {
    says: "where the blob's own content is not known, nothing stands for it",
    known: [known("a", { places: { x: 1 } }), known("b", { ...ZSTD, places: { x: 1 } })],
    expected: ["a@x"],
  },
  {
    says: "where the blob itself is not known, nothing stands for it, not even what has it as its content",
    known: [known("b", { content: "a", compression: "gzip", places: { x: 1 } })],
    expected: [],
  },
  {
    says: "at most five are told",
    known: [
      known("a", { ...GZIP, places: { p: 1, q: 2, r: 3, s: 4 } }),
      known("b", { ...ZSTD, places: { p: 9, q: 8 } }),
    ],
    expected: ["a@s", "a@r", "a@q", "a@p", "b@p"],
  },
  {
    says: "at most two of unknown place are told, behind those whose place is known",
    known: [
      known("b", { ...ZSTD, seen: 3 }),
      known("c", { ...ZSTD, seen: 4 }),
      known("d", { ...ZSTD, seen: 5 }),
      known("a", { ...GZIP, places: { x: 1 } }),
      known("f", { ...PLAIN, places: { x: 1 } }),
    ],
    expected: ["a@x", "f@x", "d", "c"],
  },
  {
    says: "those of unknown place only fill up the five",
    known: [
      known("a", { ...GZIP, places: { p: 1, q: 2, r: 3, s: 4 } }),
      known("b", { ...ZSTD, seen: 3 }),
      known("c", { ...ZSTD, seen: 4 }),
    ],
    expected: ["a@s", "a@r", "a@q", "a@p", "c"],
  },
  {
    says: "a destination that is in no registry is told of substitutes it may have itself",
    registry: null,
    known: [known("a", GZIP), known("b", ZSTD), known("f", { ...PLAIN, seen: 9 })],
    expected: ["b", "f"],
  },
];

for (const { says, known: blobs, substitutes = true, registry, expected } of TABLE) {
  test(says, () => {
    const asked = { registry: registry === null ? undefined : "r.example", substitutes };
    const told = prioritize(digest("a"), asked, blobs);
    assert.deepEqual(
      told.map(({ digest: of, from }) => letterOf(of) + (from ? `@${from.repository}` : "")),
      expected,
    );
    for (const { from } of told) assert.equal(from?.registry ?? "r.example", "r.example");
  });
}

test("a candidate has all that is known of the blob, and no media type", () => {
  const annotations = { toc: "x" };
  const blob: KnownBlob = {
    ...known("b", { content: "f", compression: "zstd:chunked", places: { x: 1 } }),
    annotations,
  };
  const asked = { registry: "r.example:5000", substitutes: true };
  assert.deepEqual(prioritize(digest("a"), asked, [known("a", GZIP), blob]), [
    {
      mediaType: "",
      digest: digest("b"),
      size: 10,
      compression: "zstd:chunked",
      annotations,
      from: { registry: "r.example:5000", repository: "x" },
    },
  ]);
});
