// policy.json is taken whole or not at all (semantics 6.6, 11.1: systematic mutations).

import assert from "node:assert/strict";
import { test } from "node:test";
import { DocumentFault } from "../../src/signature/fields.ts";
import { parsePolicy, parsePolicyFile } from "../../src/signature/policy.ts";

type Json = Readonly<Record<string, unknown>>;
const accept = [{ type: "insecureAcceptAnything" }];
const data = Buffer.from("a key").toString("base64");
const exact = { type: "matchExact" };

/** One requirement of each kind. */
const REQUIREMENTS: readonly Json[] = [
  { type: "insecureAcceptAnything" },
  { type: "reject" },
  { type: "signedBaseLayer", baseLayerIdentity: exact },
  { type: "signedBy", keyType: "GPGKeys", keyData: data },
  { type: "signedBy", keyType: "GPGKeys", keyPath: "/keys/a.gpg", signedIdentity: exact },
  { type: "signedBy", keyType: "signedByGPGKeys", keyPaths: ["/keys/a.gpg", "/keys/b.gpg"] },
  { type: "sigstoreSigned", keyData: data, signedIdentity: exact },
  { type: "sigstoreSigned", keyDatas: [data, data], rekorPublicKeyDatas: [data] },
  { type: "sigstoreSigned", keyPath: "/keys/a.pub", rekorPublicKeyPath: "/keys/rekor.pub" },
  {
    type: "sigstoreSigned",
    fulcio: { caData: data, oidcIssuer: "https://issuer.example", subjectEmail: "a@b.example" },
    rekorPublicKeyData: data,
  },
  {
    type: "sigstoreSigned",
    pki: { caRootsData: data, caIntermediatesPath: "/ca/more.pem", subjectHostname: "a.example" },
  },
];
const policyWith = (...requirements: readonly unknown[]): Json => ({ default: requirements });

for (const requirement of REQUIREMENTS)
  test(`${JSON.stringify(requirement)} is a requirement, and none with a field too many or too few`, () => {
    assert.equal(parsePolicy(policyWith(requirement), "files").default.length, 1);
    for (const broken of mutationsOf(requirement))
      assert.throws(
        () => parsePolicy(policyWith(broken), "files"),
        DocumentFault,
        JSON.stringify(broken),
      );
  });

/** An unknown field, another spelling, and another type at each level; each field left out unless it may be. */
function mutationsOf(value: Json): readonly Json[] {
  const optional = new Set([
    "signedIdentity",
    "caIntermediatesPath",
    ...("keyDatas" in value || "keyPath" in value
      ? ["rekorPublicKeyDatas", "rekorPublicKeyPath"]
      : []),
  ]);
  const without = (key: string) =>
    Object.fromEntries(Object.entries(value).filter(([k]) => k !== key));
  return [
    { ...value, unknown: 1 },
    ...Object.entries(value).flatMap(([key, inner]): readonly Json[] => [
      ...(optional.has(key) ? [] : [without(key)]),
      { ...without(key), [key.toUpperCase()]: inner },
      { ...value, [key]: 1 },
      { ...value, [key]: null },
      { ...value, [key]: [] },
      ...(typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? mutationsOf(inner as Json).map((broken) => ({ ...value, [key]: broken }))
        : []),
    ]),
  ];
}

const INVALID: readonly (readonly [what: string, policy: unknown, pointer: string])[] = [
  ["a policy that is no object", [], ""],
  ["a policy without a default", { transports: {} }, "/default"],
  ["an empty list", { default: [] }, "/default"],
  ["a list that is none", { default: {} }, "/default"],
  ["a requirement that is no object", { default: [1] }, "/default/0"],
  ["a requirement of an unknown type", { default: [{ type: "signedby" }] }, "/default/0/type"],
  ["an unknown field", { default: accept, transport: {} }, "/transport"],
  ["transports that are none", { default: accept, transports: [] }, "/transports"],
  ["scopes that are none", { default: accept, transports: { docker: [] } }, "/transports/docker"],
  [
    "a scope without a requirement",
    { default: accept, transports: { docker: { "a.example/b": [] } } },
    "/transports/docker/a.example~1b",
  ],
  [
    "a scope that its transport does not have",
    { default: accept, transports: { dir: { relative: accept } } },
    "/transports/dir/relative",
  ],
  [
    "a type of key that is none",
    policyWith({ type: "signedBy", keyType: "gpgkeys", keyData: data }),
    "/default/0/keyType",
  ],
  [
    "two sources of keys",
    policyWith({ type: "signedBy", keyType: "GPGKeys", keyData: data, keyPath: "/a" }),
    "/default/0",
  ],
  [
    "a key that is no base64",
    policyWith({ type: "signedBy", keyType: "GPGKeys", keyData: "a key" }),
    "/default/0/keyData",
  ],
  [
    "one key of several that is no base64",
    policyWith({ type: "sigstoreSigned", keyDatas: [data, "-"] }),
    "/default/0/keyDatas/1",
  ],
  [
    "an empty path",
    policyWith({ type: "signedBy", keyType: "GPGKeys", keyPath: "" }),
    "/default/0/keyPath",
  ],
  ["keys and fulcio", policyWith({ ...REQUIREMENTS[9], keyData: data }), "/default/0"],
  [
    "fulcio without Rekor",
    policyWith({ type: "sigstoreSigned", fulcio: REQUIREMENTS[9]?.["fulcio"] }),
    "/default/0",
  ],
  ["pki with Rekor", policyWith({ ...REQUIREMENTS[10], rekorPublicKeyData: data }), "/default/0"],
  [
    "pki without a subject",
    policyWith({ type: "sigstoreSigned", pki: { caRootsData: data } }),
    "/default/0/pki",
  ],
];

for (const [what, policy, pointer] of INVALID)
  test(`${what} makes a policy invalid, at ${pointer === "" ? "its top" : pointer}`, () => {
    assert.throws(
      () => parsePolicy(policy, "files"),
      (error) => error instanceof DocumentFault && error.pointer === pointer,
    );
  });

test("who orders a copy can name no file of the service's machine, in no field", () => {
  const fields = REQUIREMENTS.flatMap((requirement) =>
    [requirement, ...["fulcio", "pki"].map((key) => (requirement[key] ?? {}) as Json)].flatMap(
      (level) => Object.keys(level).filter((key) => /Paths?$/.test(key)),
    ),
  );
  assert.ok(fields.length >= 5);
  for (const requirement of REQUIREMENTS) {
    if (!/Paths?"/.test(JSON.stringify(requirement))) continue;
    assert.throws(
      () => parsePolicy(policyWith(requirement), "data-only"),
      (error) =>
        error instanceof DocumentFault &&
        /Paths?$/.test(error.pointer) &&
        /Data`/.test(error.message),
    );
  }
  assert.ok(parsePolicy(policyWith(REQUIREMENTS[3]), "data-only"));
});

const TEXTS: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  [
    "a key that occurs twice",
    '{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}',
    /occurs twice/,
  ],
  [
    "a key that occurs twice further in",
    '{"default":[{"type":"reject","type":"reject"}]}',
    /occurs twice/,
  ],
  ["anything after the document", '{"default":[{"type":"reject"}]} {}', /JSON/],
  ["no JSON", "policy", /JSON/],
  ["an unknown key", '{"default":[{"type":"reject"}],"x":1}', /`\/x` is not known here/],
];

for (const [what, text, message] of TEXTS)
  test(`a policy file with ${what} is refused`, () => {
    assert.throws(() => parsePolicyFile(Buffer.from(text)), message);
  });

const scopesIn = (transport: string, ...scopes: readonly string[]) =>
  parsePolicy(
    {
      default: accept,
      transports: { [transport]: Object.fromEntries(scopes.map((scope) => [scope, accept])) },
    },
    "files",
  ).transports.get(transport);

test("scopes of transports that are not known are taken as they are, spellings included", () => {
  assert.equal(scopesIn("none", "X.example", "x.example")?.size, 2);
});

test("a host is the same in any case, and must not be there twice", () => {
  const scopes = scopesIn("docker", "A.example", "*.B.Example", "a.example/app:V1");
  assert.deepEqual([...(scopes?.keys() ?? [])], ["a.example", "*.b.example", "a.example/app:V1"]);
  assert.throws(() => scopesIn("docker", "a.example", "A.example"), {
    pointer: "/transports/docker/A.example",
    message: /another spelling/,
  });
});
