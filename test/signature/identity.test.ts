// Semantics 11.3, tables I and J, and the rest of 6.6.2.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDockerName, parseDockerName } from "../../src/image/reference/docker.ts";
import { DocumentFault } from "../../src/signature/fields.ts";
import { matchesIdentity, parseIdentityRule, remap } from "../../src/signature/identity.ts";

const D = `sha256:${"a".repeat(64)}`;
const D2 = `sha256:${"b".repeat(64)}`;
const nameOf = (text: string) => parseDockerName(text, text);

const TABLE_I: readonly (readonly [image: string, signed: string, accepted: boolean])[] = [
  ["busybox:latest", "busybox:latest", true],
  ["library/busybox:latest", "busybox:latest", true],
  ["busybox:latest", "busybox:notlatest", false],
  [`busybox@${D}`, "busybox:latest", true],
  [`busybox@${D}`, `busybox@${D2}`, true],
  ["busybox:latest", `busybox@${D}`, false],
  ["busybox", "busybox", false],
  [`busybox@${D}`, "busybox", false],
  [`busybox:latest@${D}`, "busybox:latest", false],
  [`busybox:latest@${D}`, `busybox:latest@${D}`, true],
  [`busybox@${D}`, "notbusybox:latest", false],
  ["busybox:latest", "UPPERCASE/is:invalid", false],
  ["busybox:latest", "", false],
];

for (const [image, signed, accepted] of TABLE_I)
  test(`matchRepoDigestOrExact ${accepted ? "takes" : "refuses"} \`${signed}\` for \`${image}\``, () => {
    const rule = parseIdentityRule({ type: "matchRepoDigestOrExact" }, "");
    assert.equal(matchesIdentity(rule, nameOf(image), signed), accepted);
  });

const TABLE_J: readonly (readonly [
  prefix: string,
  signedPrefix: string,
  image: string,
  remapped: string | undefined,
])[] = [
  [
    "mirror.example",
    "vendor.example",
    "mirror.example/ns/image:tag",
    "vendor.example/ns/image:tag",
  ],
  [
    "docker.io",
    "not-docker-signed.example/ns",
    "busybox",
    "not-docker-signed.example/ns/library/busybox",
  ],
  ["docker.io/library/busybox", "x.example/ns/nb", "busybox", "x.example/ns/nb"],
  ["example.com:5000", "other.example", "example.com:50000/image:t", "example.com:50000/image:t"],
  ["example.com/ns", "other.example", "example.com/ns2/image:t", "example.com/ns2/image:t"],
  ["mirror.example/ns/image", "vendor.example:5000", "mirror.example/ns/image:tag", undefined],
];

for (const [prefix, signedPrefix, image, remapped] of TABLE_J)
  test(`remapIdentity from ${prefix} to ${signedPrefix} makes ${remapped ?? "no name"} of ${image}`, () => {
    const name = remap({ prefix, signedPrefix }, nameOf(image));
    assert.equal(name && formatDockerName(name), remapped);
  });

const RULES: readonly (readonly [
  rule: Readonly<Record<string, string>>,
  image: string | undefined,
  signed: string,
  accepted: boolean,
])[] = [
  [{ type: "matchExact" }, "busybox:latest", "busybox:latest", true],
  [{ type: "matchExact" }, `busybox@${D}`, `busybox@${D}`, true],
  [{ type: "matchExact" }, `busybox@${D}`, "busybox:latest", false],
  [{ type: "matchExact" }, "busybox", "busybox", false],
  [{ type: "matchExact" }, undefined, "busybox:latest", false],
  [{ type: "matchRepoDigestOrExact" }, undefined, "busybox:latest", false],
  [{ type: "matchRepository" }, "busybox:latest", "busybox:notlatest", true],
  [{ type: "matchRepository" }, "busybox:latest", "busybox", true],
  [{ type: "matchRepository" }, "busybox:latest", "notbusybox:latest", false],
  [{ type: "matchRepository" }, undefined, "busybox:latest", false],
  [{ type: "exactReference", dockerReference: "a.example/b:1" }, undefined, "a.example/b:1", true],
  [
    { type: "exactReference", dockerReference: "a.example/b:1" },
    "a.example/b:1",
    "a.example/b",
    false,
  ],
  [{ type: "exactRepository", dockerRepository: "a.example/b" }, undefined, "a.example/b:1", true],
  [{ type: "exactRepository", dockerRepository: "a.example/b" }, undefined, "a.example/c:1", false],
  [
    { type: "remapIdentity", prefix: "mirror.example", signedPrefix: "vendor.example" },
    "mirror.example/a:1",
    "vendor.example/a:1",
    true,
  ],
  [
    { type: "remapIdentity", prefix: "mirror.example", signedPrefix: "vendor.example" },
    "mirror.example/a:1",
    "mirror.example/a:1",
    false,
  ],
  [
    { type: "remapIdentity", prefix: "mirror.example", signedPrefix: "vendor.example" },
    "other.example/a:1",
    "other.example/a:1",
    true,
  ],
  [
    { type: "remapIdentity", prefix: "mirror.example", signedPrefix: "vendor.example" },
    undefined,
    "vendor.example/a:1",
    false,
  ],
];

for (const [rule, image, signed, accepted] of RULES)
  test(`${Object.values(rule).join(" ")} ${accepted ? "takes" : "refuses"} ${signed} for ${image ?? "an image without a name"}`, () => {
    assert.equal(
      matchesIdentity(
        parseIdentityRule(rule, ""),
        image === undefined ? image : nameOf(image),
        signed,
      ),
      accepted,
    );
  });

const INVALID: readonly (readonly [rule: unknown, pointer: string])[] = [
  ["matchExact", ""],
  [{ type: "match" }, "/type"],
  [{ type: "matchExact", more: 1 }, "/more"],
  [{ type: "exactReference" }, "/dockerReference"],
  [{ type: "exactReference", dockerReference: "busybox" }, "/dockerReference"],
  [{ type: "exactReference", dockerReference: "UP:1" }, "/dockerReference"],
  [{ type: "exactRepository", dockerRepository: 1 }, "/dockerRepository"],
  [{ type: "remapIdentity", prefix: "a.example" }, "/signedPrefix"],
  [{ type: "remapIdentity", prefix: "a.example:1/b:tag", signedPrefix: "b.example" }, "/prefix"],
  [{ type: "remapIdentity", prefix: "busybox/a", signedPrefix: "b.example" }, "/prefix"],
  [{ type: "remapIdentity", prefix: "a.example", signedPrefix: "b.example/" }, "/signedPrefix"],
];

for (const [rule, pointer] of INVALID)
  test(`${JSON.stringify(rule)} is no signedIdentity`, () => {
    assert.throws(
      () => parseIdentityRule(rule, ""),
      (error) => error instanceof DocumentFault && error.pointer === pointer,
    );
  });
