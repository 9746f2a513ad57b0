import assert from "node:assert/strict";
import { test } from "node:test";
import { guessMediaType, normalizedMediaType } from "../../../src/image/manifest/manifest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  MANIFEST_TYPES,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../../src/image/media-types.ts";

const entry = (mediaType: string) => ({ mediaType, digest: `sha256:${"a".repeat(64)}`, size: 5 });

// semantics 3.1 and 11.3 A
for (const [what, document, type] of [
  ["a schema 2 manifest", { schemaVersion: 2, mediaType: SCHEMA2 }, SCHEMA2],
  [
    "schema 2 without its type",
    { schemaVersion: 2, config: entry(DOCKER_CONFIG), layers: [] },
    SCHEMA2,
  ],
  ["a docker list", { schemaVersion: 2, mediaType: DOCKER_LIST }, DOCKER_LIST],
  ["signed schema 1", { schemaVersion: 1, signatures: [{}] }, SCHEMA1_SIGNED],
  ["schema 1 with signatures that are none", { schemaVersion: 1, signatures: "x" }, SCHEMA1_SIGNED],
  ["unsigned schema 1", { schemaVersion: 1 }, SCHEMA1],
  ["schema 1 with null for signatures", { schemaVersion: 1, signatures: null }, SCHEMA1],
  [
    "schema 1 that calls itself something else",
    { schemaVersion: 1, mediaType: SCHEMA1_SIGNED },
    SCHEMA1,
  ],
  ["an OCI manifest", { schemaVersion: 2, mediaType: OCI_MANIFEST }, OCI_MANIFEST],
  [
    "an OCI manifest without its type",
    { schemaVersion: 2, config: entry(OCI_CONFIG) },
    OCI_MANIFEST,
  ],
  [
    "an OCI artifact",
    { schemaVersion: 2, mediaType: OCI_MANIFEST, config: entry("application/x") },
    OCI_MANIFEST,
  ],
  [
    "an OCI artifact without its type",
    { schemaVersion: 2, config: entry("application/x") },
    OCI_MANIFEST,
  ],
  ["an OCI index", { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, OCI_INDEX],
  [
    "an OCI index without its type",
    { schemaVersion: 2, manifests: [entry(OCI_MANIFEST)] },
    OCI_INDEX,
  ],
  [
    "an index with a config that says nothing",
    { schemaVersion: 2, config: {}, manifests: [entry("a")] },
    OCI_INDEX,
  ],
  [
    "an index with the config of an artifact",
    { schemaVersion: 2, config: entry("a"), manifests: [entry("a")] },
    "",
  ],
  ["an empty index without its type", { schemaVersion: 2, manifests: [] }, OCI_MANIFEST],
  ["an unknown version", { schemaVersion: 99 }, ""],
  ["a version that is text", { schemaVersion: "2" }, ""],
  ["no JSON", "hello", ""],
  ["a list of JSON", [], ""],
] as const) {
  test(`${what} is taken for ${type || "nothing"}`, () => {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    assert.equal(guessMediaType(Buffer.from(text)), type);
  });
}

test("a version that is written as a fraction is none", () =>
  assert.equal(guessMediaType(Buffer.from('{"schemaVersion":2.0}')), ""));

test("known types are themselves, all others are read as signed schema 1", () => {
  for (const type of MANIFEST_TYPES) assert.equal(normalizedMediaType(type), type);
  for (const type of ["", "text/plain", "application/json", "application/octet-stream"])
    assert.equal(normalizedMediaType(type), SCHEMA1_SIGNED);
});
