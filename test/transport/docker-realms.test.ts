// Token services that a registry names: asked with credentials, as nobody, or not at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mayKnow, parseRealm, parseTokenServices } from "../../src/transport/docker/auth/realms.ts";

const judge = (realm: string, registry: string): "known" | "nobody" | "refused" => {
  const url = parseRealm(realm, new URL(registry));
  if (url === undefined) return "refused";
  return mayKnow(url, new URL(registry)) ? "known" : "nobody";
};

for (const [registry, realm, expected] of [
  ["https://registry-1.docker.io", "https://auth.docker.io/token", "known"],
  ["https://registry.gitlab.com", "https://gitlab.com/jwt/auth", "known"],
  ["https://ghcr.io", "https://ghcr.io/token", "known"],
  ["https://a.example:5000", "https://a.example:5001/token", "known"],
  ["https://a.example.co.uk", "https://b.example.co.uk/token", "known"],
  ["https://a.example.co.uk", "https://b.other.co.uk/token", "nobody"],
  ["https://a.example", "https://b.test/token", "nobody"],
  ["https://a.example", "https://a.example.b.test/token", "nobody"],
  ["https://a.example", "https://xa.example/token", "nobody"],
  ["https://192.0.2.1", "https://192.0.2.1:444/token", "known"],
  ["https://192.0.2.1", "https://193.0.2.1/token", "nobody"],
  ["http://localhost:5000", "http://localhost:5001/token", "known"],
  ["http://localhost:5000", "http://127.0.0.1:5000/token", "nobody"],
  ["http://registry:5000", "http://auth:5000/token", "nobody"],
  ["http://registry:5000", "https://registry/token", "known"],
  ["https://a.example", "http://a.example/token", "refused"],
  ["https://a.example", "https://ada@a.example/token", "refused"],
  ["https://a.example", "https://:p@a.example/token", "refused"],
  ["https://a.example", "ftp://a.example/token", "refused"],
  ["https://a.example", "file:///etc/passwd", "refused"],
  ["https://a.example", "gopher://a.example/", "refused"],
  ["https://a.example", "/token", "refused"],
  ["https://a.example", "//a.example/token", "refused"],
  ["https://a.example", `https://a.example/${"a".repeat(8192)}`, "refused"],
] as const)
  test(`${registry} names ${realm.slice(0, 60)}: ${expected}`, () => {
    assert.equal(judge(realm, registry), expected);
  });

test("the operator can name token services of other domains, for each registry its own", () => {
  const services = parseTokenServices(
    "registry.lan:5000=auth.lan, a.test=b.test:444,a.test=c.test,",
  );
  for (const [registry, realm, expected] of [
    ["https://registry.lan:5000", "https://auth.lan/token", true],
    ["https://registry.lan", "https://auth.lan/token", false],
    ["https://registry.lan:5000", "https://auth.lan:444/token", false],
    ["https://a.test", "https://b.test:444/token", true],
    ["https://a.test", "https://c.test/token", true],
    ["https://a.test", "https://d.c.test/token", false],
    ["https://c.test", "https://a.test/token", false],
  ] as const)
    assert.equal(
      mayKnow(new URL(realm), new URL(registry), services),
      expected,
      `${registry} ${realm}`,
    );
  for (const text of ["a.test", "a=b=c", "a=", "=b", "https://a=b", "a b=c", "a=u@b"])
    assert.throws(() => parseTokenServices(text), /is not `registry=service`/, text);
});
