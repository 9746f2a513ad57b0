import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { parseReferring } from "../../src/image/manifest/referrer.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";

const DIGEST = digestOf(Buffer.from("subject"));
const subject = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 7 };
const config = { mediaType: "application/vnd.example.config", digest: DIGEST, size: 2 };
const annotations = { a: "b" };

const ROWS: readonly {
  readonly is: string;
  readonly mediaType?: string;
  readonly document: object;
  /** Undefined: it refers to nothing. */
  readonly refersTo?: string;
  readonly shown?: object;
}[] = [
  {
    is: "an image with an artifact type is listed with it",
    document: { config, subject, artifactType: "application/vnd.example" },
    refersTo: DIGEST,
    shown: { artifactType: "application/vnd.example" },
  },
  {
    is: "an image without one is listed with its config's type",
    document: { config, subject },
    refersTo: DIGEST,
    shown: { artifactType: config.mediaType },
  },
  {
    is: "an empty artifact type is none",
    document: { config, subject, artifactType: "" },
    refersTo: DIGEST,
    shown: { artifactType: config.mediaType },
  },
  {
    is: "an index without an artifact type is listed without",
    mediaType: OCI_INDEX,
    document: { manifests: [], subject },
    refersTo: DIGEST,
    shown: {},
  },
  {
    is: "annotations are listed",
    document: { config, subject, annotations },
    refersTo: DIGEST,
    shown: { artifactType: config.mediaType, annotations },
  },
  {
    is: "an image without a subject refers to nothing",
    document: { config },
    shown: { artifactType: config.mediaType },
  },
  {
    is: "a subject of null is none",
    document: { config, subject: null },
    shown: { artifactType: config.mediaType },
  },
  {
    is: "docker's images refer to nothing",
    mediaType: SCHEMA2,
    document: { config, subject },
    shown: {},
  },
  {
    is: "docker's lists refer to nothing",
    mediaType: DOCKER_LIST,
    document: { manifests: [], subject },
    shown: {},
  },
];

for (const { is, mediaType = OCI_MANIFEST, document, refersTo, shown } of ROWS)
  test(is, () => {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    const found = parseReferring({ bytes, mediaType }, digest);
    assert.equal(found.subject, refersTo);
    assert.deepEqual(found.descriptor, { mediaType, digest, size: bytes.length, ...shown });
  });

for (const [what, document] of [
  ["a subject that is no descriptor", { config, subject: { digest: "sha256:1" } }],
  ["annotations that are no strings", { config, subject, annotations: { a: 1 } }],
] as const)
  test(`${what} is refused`, () => {
    const bytes = Buffer.from(JSON.stringify(document));
    assert.throws(() => parseReferring({ bytes, mediaType: OCI_MANIFEST }, digestOf(bytes)), {
      code: "manifest_invalid",
    });
  });
