// Semantics 6.1 and 6.2.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSignature } from "../../src/signature/blob.ts";
import { parsePayload } from "../../src/signature/payload.ts";

const sigstore = (json: unknown): Buffer =>
  Buffer.concat([Buffer.from("\0sigstore-json\n"), Buffer.from(JSON.stringify(json))]);
const whole = { mimeType: "type/a", payload: "e30=", annotations: { a: "b" } };

for (const byte of [0xa0, 0xa3, 0xc8, 0x90, 0x93, 0x3d, 0xc4, 0x88, 0x8b, 0xc2])
  test(`a blob that begins with 0x${byte.toString(16)} is a simple signature`, () => {
    const blob = Buffer.from([byte, 1, 2]);
    assert.deepEqual(parseSignature(blob), { kind: "simple", bytes: blob });
  });

test("a blob may say that it is a simple signature", () => {
  const read = parseSignature(Buffer.from("\0simple-signing\nwhat it is"));
  assert.deepEqual(read, { kind: "simple", bytes: Buffer.from("what it is") });
});

test("a sigstore signature has a type, a payload and annotations", () => {
  const { kind, ...rest } = parseSignature(sigstore(whole));
  assert.equal(kind, "sigstore");
  assert.deepEqual(JSON.parse(JSON.stringify(rest)), {
    mediaType: "type/a",
    payload: JSON.parse(JSON.stringify(Buffer.from("{}"))),
    annotations: { a: "b" },
  });
});

const NONE: readonly (readonly [what: string, blob: Buffer, message: RegExp])[] = [
  ["nothing", Buffer.alloc(0), /empty signature blob/],
  ["text", Buffer.from("{}"), /unrecognized signature format, starting with binary 0x7b/],
  ["a name without an end", Buffer.from("\0simple-signing"), /missing newline/],
  ["a name that is not ASCII", Buffer.from("\0s\u00ef\n"), /non-ASCII byte 0xc3/],
  ["an unknown name", Buffer.from("\0later\n{}"), /unrecognized signature format "later"/],
  ["sigstore that is no JSON", Buffer.from("\0sigstore-json\n{"), /./],
  ["sigstore without a type", sigstore({ ...whole, mimeType: 1 }), /no `mimeType`/],
  ["a payload that is not base64", sigstore({ ...whole, payload: "?" }), /no `payload` in base64/],
  ["an annotation that is no text", sigstore({ ...whole, annotations: { a: 1 } }), /no string/],
];

for (const [what, blob, message] of NONE)
  test(`${what} is no signature`, () => {
    assert.throws(() => parseSignature(blob), message);
  });

const DIGEST = `sha256:${"2".repeat(64)}`;
const said = (kind: "simple" | "sigstore") => ({
  critical: {
    identity: { "docker-reference": "testing/manifest" },
    image: { "docker-manifest-digest": DIGEST },
    type: kind === "simple" ? "atomic container signature" : "cosign container image signature",
  },
  optional: { creator: "a test", timestamp: 1458239713, other: { any: [1.5] } },
});
type Said = ReturnType<typeof said>;
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

for (const kind of ["simple", "sigstore"] as const) {
  test(`the payload of a ${kind} signature names a digest and a reference`, () => {
    const expected = { digest: DIGEST, reference: "testing/manifest" };
    assert.deepEqual(parsePayload(bytes(said(kind)), kind), expected);
    assert.deepEqual(parsePayload(bytes({ ...said(kind), optional: {} }), kind), expected);
  });

  const changed = (change: (critical: Record<string, unknown>) => unknown) => {
    const { critical, ...rest } = said(kind);
    return { ...rest, critical: change(critical) };
  };
  const INVALID: readonly (readonly [what: string, value: unknown])[] = [
    ["nothing", null],
    ["an unknown member", { ...said(kind), more: 1 }],
    ["no optional", { critical: said(kind).critical }],
    ["no critical", { optional: {} }],
    ["Critical", { Critical: said(kind).critical, optional: {} }],
    ["an optional that is a list", { ...said(kind), optional: [] }],
    ["a creator that is a number", { ...said(kind), optional: { creator: 1 } }],
    ["a time with a fraction", { ...said(kind), optional: { timestamp: 1.5 } }],
    ["a time that is text", { ...said(kind), optional: { timestamp: "1" } }],
    ["an unknown member in critical", changed((c) => ({ ...c, more: 1 }))],
    ["another type", changed((c) => ({ ...c, type: "atomic container signatures" }))],
    [
      "an unknown member in image",
      changed((c) => ({ ...c, image: { ...(c as Said["critical"]).image, a: 1 } })),
    ],
    ["no digest", changed((c) => ({ ...c, image: {} }))],
    [
      "a digest that is none",
      changed((c) => ({ ...c, image: { "docker-manifest-digest": "sha256:ab" } })),
    ],
    [
      "a reference that is a number",
      changed((c) => ({ ...c, identity: { "docker-reference": 1 } })),
    ],
    [
      "an unknown member in identity",
      changed((c) => ({ ...c, identity: { "docker-reference": "a", b: 1 } })),
    ],
  ];
  for (const [what, value] of INVALID)
    test(`a ${kind} payload with ${what} is refused`, () => {
      assert.throws(() => parsePayload(bytes(value), kind));
    });

  test(`a ${kind} payload with a key that occurs twice, or with more after it, is refused`, () => {
    const text = JSON.stringify(said(kind));
    assert.throws(() => parsePayload(Buffer.from(`${text}{}`), kind));
    assert.throws(
      () =>
        parsePayload(Buffer.from(text.replace('"optional":', '"optional":{},"optional":')), kind),
      /occurs twice/,
    );
  });
}

test("only a sigstore payload may have null for optional, and neither kind passes for the other", () => {
  assert.ok(parsePayload(bytes({ ...said("sigstore"), optional: null }), "sigstore"));
  assert.throws(() => parsePayload(bytes({ ...said("simple"), optional: null }), "simple"));
  assert.throws(
    () => parsePayload(bytes(said("simple")), "sigstore"),
    /Unrecognized signature type/,
  );
});
