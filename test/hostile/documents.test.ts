// Manifests that two readers would read differently (reliability T19, T20), and such as lie about sizes (T17).

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { useBench } from "./bench.ts";
import { CONFUSED, document, image, list, ODD, SIZES, text } from "./documents.ts";
import { honest, withTop } from "./sources.ts";

const bench = useBench();

for (const [name, mediaType, hostile, from] of [...CONFUSED, ...ODD, ...SIZES]) {
  test(`refused: ${name}`, async () => {
    const { polluted } = {} as Record<string, unknown>;
    await bench().assertRefusedFrom(withTop(honest(list), mediaType, hostile), (kind) =>
      from === undefined || from.includes(kind) ? { code: "manifest_invalid" } : undefined,
    );
    assert.equal(polluted, undefined);
  });
}

for (const [name, odd] of [
  [
    "a field that is called __proto__",
    text.replace("{", '{"__proto__":{"polluted":true,"layers":[]},'),
  ],
  [
    "annotations that are called __proto__ and constructor",
    text.replace("{", '{"annotations":{"__proto__":"a","constructor":"b","toString":"c"},'),
  ],
  ["a lone surrogate in an annotation", text.replace("{", '{"annotations":{"a":"\\ud800"},')],
  [
    "blanks and line ends everywhere",
    JSON.stringify(document, undefined, "\t").replaceAll("\n", "\r\n"),
  ],
  ["fields that nobody knows", text.replace("{", '{"x":[{"y":{}}],"Config2":1,')],
] as const) {
  test(`taken, and pushed byte for byte: ${name}`, async () => {
    const hostile = withTop(honest(image), OCI_MANIFEST, odd);
    for (const kind of ["docker", "oci", "dir"] as const) {
      const source = await bench().place(kind, hostile);
      const { digest, manifest } = await bench().copy(source, bench().destination());
      assert.equal(digest, digestOf(hostile.top.bytes));
      assert.deepEqual(manifest?.bytes, hostile.top.bytes);
      assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
    }
  });
}
