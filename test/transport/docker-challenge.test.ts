import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseChallenge } from "../../src/transport/docker/auth/challenge.ts";
import { registrableDomain } from "../../src/transport/docker/auth/realms.ts";
import { processorMs } from "../support/time.ts";

const BEARER = { scheme: "bearer", realm: "https://a/t", service: undefined } as const;

const TABLE: readonly (readonly [
  string | readonly string[] | undefined,
  ReturnType<typeof chooseChallenge>,
])[] = [
  [undefined, undefined],
  ["", undefined],
  ['Basic realm="x"', { scheme: "basic" }],
  ["basic", { scheme: "basic" }],
  ['Bearer realm="https://a/t"', BEARER],
  ["bearer realm=https", { ...BEARER, realm: "https" }],
  [
    'Bearer realm="https://a/t",service="s, \\"t\\"",scope="repository:a:pull"',
    { ...BEARER, service: 's, "t"' },
  ],
  ['Bearer   service = "s" ,  realm = "https://a/t"', { ...BEARER, service: "s" }],
  [["Negotiate", 'Bearer realm="https://a/t"'], BEARER],
  ['Negotiate YII+/w==, Bearer realm="https://a/t"', BEARER],
  ['Negotiate YII+/w= , Bearer realm="https://a/t"', BEARER],
  ['Negotiate YII+/w== Bearer realm="https://a/t"', undefined],
  ['Bearer realm="https://a/t", Basic realm="x"', BEARER],
  ['Basic realm="x", Bearer realm="https://a/t"', { scheme: "basic" }],
  ['Bearer service="s"', undefined],
  ['Bearer realm=""', undefined],
  ['Digest realm="x"', undefined],
  ['Bearer realm="https://a/t', undefined],
  ['Bearer realm="https://a/t",realm="https://b/t"', undefined],
  ['Bearer realm="https://a/t" service="s"', undefined],
  ['realm="https://a/t"', undefined],
  ['Bearer ="x"', undefined],
  ['Bearer realm="https://a/t\\', undefined],
];

for (const [header, expected] of TABLE)
  test(`the challenge ${JSON.stringify(header)} is ${expected ? "used" : "not used"}`, () => {
    assert.deepEqual(chooseChallenge(header), expected);
  });

test("a long challenge is read in linear time", () => {
  for (const part of ['a="', "a=b ", ",", '"', "\\", 'a="b",', " "]) {
    const challenge = `Bearer ${part.repeat(200_000)}`;
    assert.ok(processorMs(() => chooseChallenge(challenge)) < 1000, part);
  }
});

for (const [host, domain] of [
  ["registry-1.docker.io", "docker.io"],
  ["auth.docker.io", "docker.io"],
  ["ghcr.io", "ghcr.io"],
  ["registry.example.co.uk", "example.co.uk"],
  ["co.uk", undefined],
  ["localhost", undefined],
  ["127.0.0.1", undefined],
  ["[::1]", undefined],
] as const)
  test(`${host} belongs to ${domain ?? "itself"}`, () =>
    assert.equal(registrableDomain(host), domain));
