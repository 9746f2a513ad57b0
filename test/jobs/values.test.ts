import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { canonicalJson, parseIdempotencyKey } from "../../src/jobs/idempotency.ts";
import { isId, newId } from "../../src/jobs/ids.ts";
import { Sealer } from "../../src/jobs/secrets.ts";

const key = () => randomBytes(32).toString("hex");
const OWNER = { id: "job", tenant: "t" };
const SECRETS = { source: { username: "u", password: "marked-secret" } };

test("ids are 26 lower-case Crockford characters, and sort as they were made", () => {
  const ids = Array.from({ length: 5000 }, newId);
  for (const id of ids) assert.ok(isId(id), id);
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(ids.map((id) => id.slice(10))).size, ids.length, "the random part differs");
});

test("an id begins with its time", () => {
  const time = (id: string) =>
    Array.from(id.slice(0, 10)).reduce(
      (sum, c) => sum * 32 + "0123456789abcdefghjkmnpqrstvwxyz".indexOf(c),
      0,
    );
  assert.ok(Math.abs(time(newId()) - Date.now()) < 10_000);
});

for (const text of [
  "",
  "0",
  "a".repeat(25),
  "a".repeat(27),
  `I${"a".repeat(25)}`,
  `8${"a".repeat(25)}`,
  `0${"a".repeat(24)}\n`,
]) {
  test(`${JSON.stringify(text)} is no id`, () => assert.equal(isId(text), false));
}

test("two requests that mean the same have one canonical text", () => {
  assert.equal(
    canonicalJson({ b: [1, { d: null, c: "é" }], a: true, u: undefined }),
    '{"a":true,"b":[1,{"c":"é","d":null}]}',
  );
  assert.equal(
    canonicalJson(JSON.parse('{"x":{"z":1,"y":2}}')),
    canonicalJson(JSON.parse('{"x":{"y":2,"z":1}}')),
  );
});

test("requests that differ have canonical texts that differ", () => {
  const texts = [
    { a: 1 },
    { a: "1" },
    { a: [1] },
    { a: { 0: 1 } },
    { a: null },
    {},
    [],
    "a",
    [[1], 2],
    [1, [2]],
  ].map(canonicalJson);
  assert.equal(new Set(texts).size, texts.length);
});

test("an idempotency key is 1 to 255 visible ASCII characters", () => {
  for (const good of ["a", "!~", "x".repeat(255)]) assert.equal(parseIdempotencyKey(good), good);
  for (const bad of ["", " ", "a b", "é", "a\n", "x".repeat(256)]) {
    assert.throws(() => parseIdempotencyKey(bad), { code: "invalid_request" }, JSON.stringify(bad));
  }
});

test("sealed secrets open for their job, and show nothing", () => {
  const sealer = Sealer.parse(key());
  const sealed = sealer.seal(OWNER, SECRETS);
  assert.deepEqual(sealer.open(OWNER, sealed), SECRETS);
  assert.doesNotMatch(
    Buffer.from(sealed.split(".")[2]!, "base64url").toString("latin1") + sealed,
    /marked|user/,
  );
  assert.notEqual(sealer.seal(OWNER, SECRETS), sealed);
});

test("sealed secrets do not open for another job, another tenant, under another key, or damaged", () => {
  const sealer = Sealer.parse(key());
  const sealed = sealer.seal(OWNER, SECRETS);
  const [version, id, body = ""] = sealed.split(".");
  const flipped = Buffer.from(body, "base64url");
  flipped[40]! ^= 1;
  const cases: [string, Sealer, { id: string; tenant: string }, string][] = [
    ["another job", sealer, { ...OWNER, id: "other" }, sealed],
    ["another tenant", sealer, { ...OWNER, tenant: "u" }, sealed],
    ["another key", Sealer.parse(key()), OWNER, sealed],
    ["a flipped bit", sealer, OWNER, [version, id, flipped.toString("base64url")].join(".")],
    ["cut short", sealer, OWNER, sealed.slice(0, -4)],
    ["cut to nothing", sealer, OWNER, [version, id, ""].join(".")],
    ["another version", sealer, OWNER, sealed.replace(/^1/, "2")],
  ];
  for (const [name, opener, owner, text] of cases)
    assert.throws(() => opener.open(owner, text), name);
});

test("older keys of the file still open, the first one seals", () => {
  const [old, young] = [key(), key()];
  const sealed = Sealer.parse(old).seal(OWNER, SECRETS);
  const both = Sealer.parse(`\n${young.toUpperCase()}\r\n${old}\n\n`);
  assert.deepEqual(both.open(OWNER, sealed), SECRETS);
  assert.deepEqual(Sealer.parse(young).open(OWNER, both.seal(OWNER, SECRETS)), SECRETS);
});

for (const text of ["", "\n", "abc", `${"0".repeat(64)}\nxyz`, "g".repeat(64)]) {
  test(`${JSON.stringify(text.slice(-10))} is no key file`, () =>
    assert.throws(() => Sealer.parse(text), /64 hexadecimal digits/));
}

test("fingerprints tell texts apart, and depend on the key", () => {
  const sealer = Sealer.parse(key());
  assert.equal(sealer.fingerprint("a"), sealer.fingerprint("a"));
  assert.notEqual(sealer.fingerprint("a"), sealer.fingerprint("b"));
  assert.notEqual(sealer.fingerprint("a"), Sealer.parse(key()).fingerprint("a"));
});
