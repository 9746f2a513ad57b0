import assert from "node:assert/strict";
import { test } from "node:test";
import { algorithmOf, digestOf, hexOf, parseDigest } from "../../src/image/digest.ts";

const a64 = "a".repeat(64);

test("a digest is a registered algorithm and lower-case hex of its length", () => {
  for (const good of [`sha256:${a64}`, `sha384:${"0".repeat(96)}`, `sha512:${"f".repeat(128)}`])
    assert.equal(parseDigest(good), good);
});

test("anything else is no digest", () => {
  const bad = [
    "",
    "sha256",
    "sha256:",
    `sha256:${a64}0`,
    `sha256:${a64.slice(1)}`,
    `sha256:${a64.toUpperCase()}`,
    `SHA256:${a64}`,
    `md5:${"a".repeat(32)}`,
    `sha512:${a64}`,
    "sha256:../../etc/passwd",
    `sha256:${a64.slice(3)}/..`,
    `sha256:${a64}\0`,
    `sha256:%2e%2e${a64.slice(6)}`,
    `constructor:${a64}`,
    `__proto__:${a64}`,
    undefined,
    null,
    5,
    {},
  ];
  for (const text of bad) assert.equal(parseDigest(text), undefined, JSON.stringify(text));
});

test("the digest of nothing is the well-known one", () => {
  assert.equal(
    digestOf(Buffer.alloc(0)),
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
  const long = digestOf(Buffer.alloc(0), "sha512");
  assert.equal(algorithmOf(long), "sha512");
  assert.equal(hexOf(long).length, 128);
});
