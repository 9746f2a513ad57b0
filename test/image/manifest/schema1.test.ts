import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { CopyError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/image/digest.ts";
import { manifestDigest } from "../../../src/image/manifest/manifest.ts";
import { parseImage } from "../../../src/image/manifest/parse.ts";
import { parseSchema1, writeSchema1 } from "../../../src/image/manifest/schema1.ts";
import { payloadOf, withDummySignature } from "../../../src/image/manifest/schema1-signature.ts";
import { OCI_MANIFEST, SCHEMA1, SCHEMA1_SIGNED } from "../../../src/image/media-types.ts";

const id = (letter: string) => letter.repeat(64);
const blob = (name: string) => digestOf(Buffer.from(name));

/** `[id, parent, more]`, top first. */
type Entry = readonly [id: string, parent: string | undefined, more?: object];
const CHAIN: readonly Entry[] = [
  [id("c"), id("b")],
  [id("b"), id("a"), { throwaway: true }],
  [id("a"), undefined],
];
const manifest = (entries: readonly Entry[], more: object = {}) => ({
  schemaVersion: 1,
  name: "library/app",
  tag: "1",
  architecture: "amd64",
  fsLayers: entries.map(([name]) => ({ blobSum: blob(name) })),
  history: entries.map(([own, parent, fields]) => ({
    v1Compatibility: JSON.stringify({ id: own, ...(parent && { parent }), ...fields }),
  })),
  ...more,
});
const raw = (document: object, mediaType: string = SCHEMA1) => ({
  mediaType,
  bytes: Buffer.from(JSON.stringify(document)),
});
/** A document with signatures spliced in before its tail, as libtrust does it. */
function signed(document: string, tail: string, ...headers: readonly object[]): Buffer {
  const length = document.length - tail.length;
  const signatures = headers.map((header) => ({
    header: { alg: "ES256" },
    signature: "x",
    protected: Buffer.from(
      JSON.stringify({
        formatLength: length,
        formatTail: Buffer.from(tail).toString("base64url"),
        ...header,
      }),
    ).toString("base64url"),
  }));
  return Buffer.from(
    `${document.slice(0, length)},"signatures":${JSON.stringify(signatures)}${tail}`,
  );
}
const pretty = JSON.stringify(manifest(CHAIN), undefined, 3);
const invalid = (words: RegExp) => (error: unknown) =>
  error instanceof CopyError && error.code === "manifest_invalid" && words.test(error.message);

test("layers are told root first, empty ones among them, without types and sizes, and there is no config", () => {
  const image = parseImage(raw(manifest(CHAIN)));
  assert.equal(image.config, undefined);
  assert.deepEqual(image.layers, [
    { mediaType: "", digest: blob(id("a")) },
    { mediaType: "", digest: blob(id("b")), empty: true },
    { mediaType: "", digest: blob(id("c")) },
  ]);
});

test("of neighbours with one id the lower one counts", () => {
  const twice: Entry = [id("b"), id("a")];
  const [top, , root] = CHAIN as [Entry, Entry, Entry];
  const document = manifest([top, twice, twice, root]);
  document.fsLayers[1] = { blobSum: blob("other") };
  const { layers } = parseImage(raw(document));
  assert.deepEqual(
    layers.map(({ digest }) => digest),
    [id("a"), id("b"), id("c")].map(blob),
  );
});

// semantics 3.4
for (const [what, document, words] of [
  ["another version", manifest(CHAIN, { schemaVersion: 2 }), /schemaVersion/],
  ["no layers", manifest([]), /no layers/],
  ["fewer layers than history", manifest(CHAIN, { fsLayers: [] }), /0 `fsLayers`, but 3/],
  ["a config", manifest(CHAIN, { config: {} }), /ambiguous/],
  ["layers of schema 2", manifest(CHAIN, { layers: [] }), /ambiguous/],
  ["another type inside", manifest(CHAIN, { mediaType: OCI_MANIFEST }), /says of itself/],
  [
    "a digest that is none",
    manifest(CHAIN, { fsLayers: CHAIN.map(() => ({ blobSum: "x" })) }),
    /blobSum/,
  ],
  [
    "texts that are none",
    manifest(CHAIN, { history: CHAIN.map(() => ({ v1Compatibility: 1 })) }),
    /v1Compatibility/,
  ],
  [
    "texts that are no JSON",
    manifest(CHAIN, { history: CHAIN.map(() => ({ v1Compatibility: "x" })) }),
    /history\[0\]/,
  ],
  ["an id that is none", manifest([["x", undefined]]), /`x`/],
  ["an id in capitals", manifest([[id("A"), undefined]]), /AAA/],
  ["a root with a parent", manifest([[id("a"), id("b")]]), /parent/],
  ["a broken chain", manifest([[id("c"), id("a")], ...CHAIN.slice(1)]), /parent/],
  [
    "a layer without a parent in the middle",
    manifest([[id("c"), undefined], ...CHAIN.slice(1)]),
    /parent/,
  ],
  [
    "an id in two places",
    manifest([
      [id("a"), id("b")],
      [id("b"), id("a")],
      [id("a"), undefined],
    ]),
    /two places/,
  ],
  ["a time that is none", manifest([[id("a"), undefined, { created: "now" }]]), /created/],
  [
    "a command that is a number",
    manifest([[id("a"), undefined, { container_config: { Cmd: 1 } }]]),
    /Cmd/,
  ],
] as const) {
  test(`schema 1 with ${what} is refused`, () => {
    assert.throws(() => parseImage(raw(document)), invalid(words));
  });
}

// semantics 3.5 and 11.3 B
test("the digest of a signed manifest is that of what was signed, whatever its layout and its type", () => {
  const whole = JSON.stringify(manifest(CHAIN));
  for (const mediaType of [SCHEMA1, SCHEMA1_SIGNED, "", "application/json"]) {
    const bytes = signed(pretty, "\n}", {});
    assert.equal(manifestDigest({ bytes, mediaType }), digestOf(Buffer.from(pretty)));
    assert.equal(
      manifestDigest({ bytes: signed(whole, "}", {}, {}), mediaType }, "sha512"),
      digestOf(Buffer.from(whole), "sha512"),
    );
  }
});

test("the digest of any other manifest is that of its bytes", () => {
  for (const text of ["", "hello", pretty, '{"schemaVersion":2}'])
    assert.equal(
      manifestDigest({ bytes: Buffer.from(text), mediaType: SCHEMA1 }),
      digestOf(Buffer.from(text)),
    );
  const bytes = signed(pretty, "\n}", {});
  assert.equal(manifestDigest({ bytes, mediaType: OCI_MANIFEST }), digestOf(bytes));
});

for (const [what, bytes] of [
  ["that are none", Buffer.from(JSON.stringify(manifest(CHAIN, { signatures: "x" })))],
  ["of which there are none", signed(pretty, "\n}")],
  ["without a header", Buffer.from(JSON.stringify(manifest(CHAIN, { signatures: [{}] })))],
  [
    "with a header that is no JSON",
    Buffer.from(JSON.stringify(manifest(CHAIN, { signatures: [{ protected: "eA" }] }))),
  ],
  [
    "with a header that is not base64",
    Buffer.from(JSON.stringify(manifest(CHAIN, { signatures: [{ protected: "?" }] }))),
  ],
  ["of a length below zero", signed(pretty, "\n}", { formatLength: -1 })],
  ["of a length that is no integer", signed(pretty, "\n}", { formatLength: 1.5 })],
  ["longer than the manifest", signed(pretty, "\n}", { formatLength: 100_000 })],
  ["without a tail", signed(pretty, "\n}", { formatTail: 1 })],
  ["that differ", signed(pretty, "\n}", {}, { formatTail: "fQ" })],
] as const) {
  test(`signatures ${what} make a manifest invalid`, () => {
    assert.throws(() => manifestDigest({ bytes, mediaType: SCHEMA1_SIGNED }), invalid(/./));
    assert.throws(() => parseImage({ bytes, mediaType: SCHEMA1_SIGNED }), invalid(/./));
  });
}

test("more layers than docker ever made are refused", () => {
  const document = manifest([], {
    fsLayers: Array.from({ length: 1001 }, () => ({ blobSum: blob("x") })),
  });
  assert.throws(() => parseImage(raw(document)), invalid(/1001/));
});

// Each has the digest of `good` to a reader that takes the signature's word for what was signed.
const good = JSON.stringify(manifest(CHAIN));
const evil = JSON.stringify(manifest([[id("e"), undefined]]));
const tailOf = (from: number) => Buffer.from(good.slice(from)).toString("base64url");
for (const [what, text] of [
  ["another document", signed(evil, "}", { formatLength: 1, formatTail: tailOf(1) }).toString()],
  ["fields after the signatures", signed(good, "}", {}).toString().replace(/}$/, ',"extra":1}')],
  [
    "fields before the signatures",
    signed(good, "}", {}).toString().replace(',"signatures"', ',"extra":1,"signatures"'),
  ],
  [
    "a field that goes on",
    signed(good, "}", {
      formatLength: good.length - 2,
      formatTail: tailOf(good.length - 2),
    }).toString(),
  ],
  ["nothing but a tail", signed(good, "}", { formatLength: good.length * 2 }).toString()],
] as const) {
  test(`a signed document with ${what} is refused, and does not get the digest of what was signed`, () => {
    const served = { bytes: Buffer.from(text), mediaType: SCHEMA1_SIGNED };
    assert.ok(JSON.parse(text));
    assert.throws(() => manifestDigest(served), invalid(/what is signed/));
    assert.throws(() => parseImage(served), invalid(/what is signed/));
  });
}

test("a signed document with blanks around its signatures is the one that was signed", () => {
  const text = signed(pretty, "\n}", {}).toString().replace(',"signatures"', '\n,\n "signatures"');
  const served = { bytes: Buffer.from(`${text}\n`), mediaType: SCHEMA1_SIGNED };
  assert.equal(manifestDigest(served), digestOf(Buffer.from(pretty)));
  assert.equal(parseImage(served).layers.length, 3);
});

test("what we write is signed with the key that it names, and is read back as it was", () => {
  const before = parseSchema1(raw(manifest(CHAIN)));
  const { bytes, mediaType } = writeSchema1(before);
  assert.equal(mediaType, SCHEMA1_SIGNED);
  assert.deepEqual(parseSchema1({ bytes, mediaType }), before);
  const [{ header, signature, protected: head }] = JSON.parse(bytes.toString()).signatures;
  const { kid, ...jwk } = header.jwk;
  assert.match(kid, /^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
  const text = `${head}.${payloadOf(bytes).toString("base64url")}`;
  const key = {
    key: createPublicKey({ key: jwk, format: "jwk" }),
    dsaEncoding: "ieee-p1363",
  } as const;
  assert.ok(verify("sha256", Buffer.from(text), key, Buffer.from(signature, "base64url")));
  assert.ok(!verify("sha256", Buffer.from(`${text}x`), key, Buffer.from(signature, "base64url")));
});

test("each signature is by a key of its own, and changes no digest", () => {
  const document = Buffer.from(JSON.stringify(manifest(CHAIN)));
  const [first, second] = [withDummySignature(document), withDummySignature(document)];
  assert.notDeepEqual(first, second);
  for (const bytes of [first, second])
    assert.equal(manifestDigest({ bytes, mediaType: SCHEMA1_SIGNED }), digestOf(document));
});
