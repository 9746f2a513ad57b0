// Which entry of an auth file counts: beside containers/image's own table in test/interop/auth-file.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findLogin, parseAuthFile } from "../../src/host/auth-file.ts";

const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
const login = (username: string, password = "p") => ({ login: { username, password } });

const FILE = {
  auths: {
    "a.example": auth("host:p"),
    "A.Example/team": auth("team:p"),
    "a.example/team/app": auth("app:p"),
    "a.example/empty": {},
    "a.example:5000": auth("port:p"),
    "https://old.example/v1/": auth("old:p"),
    "http://plain.example": auth("plain:p"),
    "bare.example/v1/": auth("bare:p"),
    "https://index.docker.io/v1/": auth("hub:p"),
    "colon.example": auth("a:b:c"),
    "zero.example": auth("a:p\0\0"),
    "none.example": auth("no colon"),
    "nobody.example": auth(":"),
    "token.example": { identitytoken: "refresh" },
    "both.example": { ...auth("a:p"), identitytoken: "refresh" },
    "helped.example": auth("ignored:p"),
  },
  credHelpers: { "Helped.example": "one" },
};

for (const [registry, repository, expected] of [
  ["a.example", "other", login("host")],
  ["a.example", "team", login("team")],
  ["a.example", "teams", login("host")],
  ["a.example", "team/app", login("app")],
  ["a.example", "team/app/more/parts", login("app")],
  ["a.example", "team/apple", login("team")],
  ["a.example", "empty/x", undefined],
  ["a.example:5000", "team", login("port")],
  ["a.example:5001", "team", undefined],
  ["b.example", "a.example", undefined],
  ["old.example", "x", login("old")],
  ["plain.example", "x", login("plain")],
  ["bare.example", "x", undefined],
  ["bare.example", "v1", undefined],
  ["docker.io", "library/busybox", login("hub")],
  ["registry-1.docker.io", "library/busybox", login("hub")],
  ["colon.example", "x", login("a", "b:c")],
  ["zero.example", "x", login("a")],
  ["none.example", "x", undefined],
  ["nobody.example", "x", login("", "")],
  ["token.example", "x", { login: { identityToken: "refresh" } }],
  ["both.example", "x", { login: { identityToken: "refresh" } }],
  ["helped.example", "x", { helper: "one", server: "helped.example" }],
] as const)
  test(`${registry}/${repository} is known as ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(
      findLogin(parseAuthFile(JSON.stringify(FILE)), registry, repository),
      expected,
    );
  });

test("docker's store is asked for what has no credentials in the file, by docker's name for its own registry", () => {
  const file = parseAuthFile(JSON.stringify({ ...FILE, credsStore: "all" }));
  const found = (registry: string, repository = "x") => findLogin(file, registry, repository);
  assert.deepEqual(found("b.example"), { helper: "all", server: "b.example" });
  assert.deepEqual(found("a.example", "empty"), { helper: "all", server: "a.example" });
  assert.deepEqual(found("a.example"), login("host"));
  assert.deepEqual(found("helped.example"), { helper: "one", server: "helped.example" });
  const hub = findLogin(parseAuthFile('{"credsStore":"all"}'), "docker.io", "library/busybox");
  assert.deepEqual(hub, { helper: "all", server: "https://index.docker.io/v1/" });
});

test("a file without anything in it knows nobody", () => {
  for (const text of ["{}", '{"auths":{}}', '{"auths":null,"credsStore":""}'])
    assert.equal(findLogin(parseAuthFile(text), "a.example", "x"), undefined);
});
