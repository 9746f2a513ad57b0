// Each check of own.ts says what is wrong with a copy that is not what the option promises.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "../../../src/image/digest.ts";
import { documentOf } from "../../support/readings.ts";
import { makeSample, type Sample } from "../../support/samples.ts";
import { CORPUS, type InputName } from "./corpus.ts";
import type { Facts, Option } from "./model.ts";
import { OWN } from "./own.ts";

const inputOf = (input: InputName): Sample =>
  CORPUS[input].make({ seed: "own", repository: "own", tag: "1", publish: () => "http://x/" });
const other = makeSample({ seed: "other" });
const done = { kind: "done" } as const;

/** What a copy without the option would have made, and nothing was there before. */
const plainly = (input: InputName, more: Partial<Facts> = {}): Facts => {
  const source = inputOf(input);
  return {
    source,
    before: {},
    made: { sample: source },
    answer: done,
    writes: 0,
    referrers: [],
    ...more,
  };
};

/** An image of the list in the place of the list. */
const lastImage = (list: Sample): Sample => ({
  ...list,
  root: [...list.manifests.values()].at(-1) as Sample["root"],
});

const WRONG: Readonly<Record<keyof typeof OWN, Facts>> = {
  "foreign layers downloaded": plainly("foreign oci"),
  "some platforms": plainly("oci index"),
  "some digests": plainly("oci index"),
  "some platforms, stripped": plainly("oci index"),
  "platforms that nobody has": plainly("oci index"),
  "gzip preferred": plainly("oci index zstd and gzip", {
    made: { sample: lastImage(inputOf("oci index zstd and gzip")) },
  }),
  "list signatures removed": plainly("signed list"),
  "zstd besides": plainly("oci index"),
  "zstd 19 besides": plainly("oci index"),
  "zstd:chunked besides": plainly("oci index zstd and gzip"),
  "forced into no format": plainly("oci gzip"),
  timestamp: plainly("oci gzip", {
    made: {
      sample: inputOf("oci gzip"),
      tree: new Map([["index.json", { bytes: Buffer.alloc(0), mode: 0o644, mtime: 0 }]]),
    },
  }),
  "a tag that exists fails": plainly("oci gzip", { before: { sample: other } }),
  "a tag that exists is left": plainly("oci gzip", { before: { sample: other } }),
  "nothing for what is there": plainly("oci gzip", {
    before: { sample: inputOf("oci gzip") },
    writes: 1,
  }),
  "with referrers": plainly("oci gzip"),
};

for (const [name, facts] of Object.entries(WRONG)) {
  test(`the check of "${name}" finds what is wrong`, () => {
    const { check } = OWN[name as keyof typeof OWN] as Option;
    assert.notEqual(check?.(facts), undefined);
    assert.notEqual(check?.({ ...facts, made: {}, before: {} }), undefined, "nothing is there");
  });
}

test("the check of variants finds one that holds something else", () => {
  const source = inputOf("oci index");
  const zstd = inputOf("oci index zstd and gzip");
  const check = (OWN["zstd besides"] as Option).check;
  const blobs = new Map([...source.blobs, ...zstd.blobs]);
  const manifests = new Map([...source.manifests, ...zstd.manifests]);
  const entries = [
    ...(documentOf(source.root).manifests ?? []),
    ...(documentOf(zstd.root).manifests ?? []).slice(2),
  ];
  const text = JSON.stringify({
    ...(JSON.parse(source.root.bytes.toString()) as object),
    manifests: entries,
  });
  const sample: Sample = {
    root: { ...source.root, bytes: Buffer.from(text) },
    manifests,
    blobs,
    signatures: new Map<Digest | "", Buffer[]>(),
  };
  const why = check?.({ ...plainly("oci index"), made: { sample } });
  assert.match(why ?? "", /no zstd image is the same/);
});
