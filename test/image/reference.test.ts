import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { formatReference, parseReference } from "../../src/image/reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

const good: readonly (readonly [string, object])[] = [
  ["docker://busybox", { registry: "docker.io", repository: "library/busybox", tag: "latest" }],
  ["docker://team/app", { registry: "docker.io", repository: "team/app", tag: "latest" }],
  [
    "docker://index.docker.io/library/busybox:1",
    { registry: "docker.io", repository: "library/busybox", tag: "1" },
  ],
  ["docker://localhost/app", { registry: "localhost", repository: "app", tag: "latest" }],
  [
    "docker://localhost:5000/app:1.2",
    { registry: "localhost:5000", repository: "app", tag: "1.2" },
  ],
  [
    "docker://registry.example.com/a/b_c/d__e/f-g/h---i/j.k:T_a.g-1",
    { registry: "registry.example.com", repository: "a/b_c/d__e/f-g/h---i/j.k", tag: "T_a.g-1" },
  ],
  [
    `docker://registry.example.com/app@${digest}`,
    { registry: "registry.example.com", repository: "app", digest },
  ],
  [
    `docker://registry.example.com/app:1@${digest}`,
    { registry: "registry.example.com", repository: "app", tag: "1", digest },
  ],
  [
    "docker://UPPER.example.com/app",
    { registry: "UPPER.example.com", repository: "app", tag: "latest" },
  ],
  ["oci:layout", { path: "layout" }],
  ["oci:some/layout:1.0", { path: "some/layout", name: "1.0" }],
  [
    "oci:layout:registry.example.com/app:1.0",
    { path: "layout", name: "registry.example.com/app:1.0" },
  ],
  ["oci:layout:@3", { path: "layout", entry: 3 }],
  ["dir:some/where", { path: "some/where" }],
];

for (const [text, parts] of good) {
  test(`${text} is understood, and written back it means the same`, () => {
    const parsed = parseReference(text);
    const { transport: _, ...rest } = parsed;
    assert.deepEqual(rest, parts);
    assert.deepEqual(parseReference(formatReference(parsed)), parsed);
  });
}

const bad: readonly (readonly [string, RegExp])[] = [
  ["busybox", /transport is missing/],
  ["", /transport is missing/],
  ["docker:busybox", /followed by/],
  ["docker://", /repository is missing/],
  ["docker://Busybox", /lower-case/],
  ["docker://example.com/App", /lower-case/],
  ["docker://example.com/app:", /not a tag/],
  ["docker://example.com/app:-x", /not a tag/],
  [`docker://example.com/app:${"x".repeat(129)}`, /not a tag/],
  ["docker://example.com/app@sha256:abc", /not a digest/],
  ["docker://example.com//app", /not a repository/],
  ["docker://example.com/app/", /not a repository/],
  ["docker://example.com/a___b", /not a repository/],
  ["docker://example.com/a..b", /not a repository/],
  ["docker://example.com/-a", /not a repository/],
  ["docker://example.com/../etc", /not a repository/],
  ["docker://example.com:99999/app", /not a registry/],
  ["docker://example.com:/app", /not a registry/],
  ["docker://-example.com/app", /not a registry/],
  ["docker://[::1]:5000/app", /not a registry/],
  ["docker://user:pw@example.com/app", /not a digest/],
  [`docker://${"a".repeat(64)}`, /taken for a digest/],
  [`docker://example.com/${"a".repeat(250)}`, /255/],
  ["docker://example.com/a\r\nX: y", /control/],
  ["oci:", /path is missing/],
  ["oci:layout:", /image name/],
  ["oci:layout:a//b", /image name/],
  ["oci:layout:a-", /image name/],
  ["oci:layout:@x", /entry/],
  ["dir:", /path is missing/],
  ["containers-storage:busybox", /not supported: push/],
  ["sif:x", /not supported/],
  ["constructor:x", /not known/],
];

for (const [text, why] of bad) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused with its reason`, () => {
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof CopyError && error.code === "reference_invalid" && why.test(error.message),
    );
  });
}

test("no reference, however long or repetitive, takes more than a moment", () => {
  const attacks = [
    "a".repeat(100_000),
    `example.com/${"a-".repeat(50_000)}!`,
    "a_".repeat(1000),
    `x/${"a".repeat(30)}!`,
    "-".repeat(2000),
    ":".repeat(2000),
    "@".repeat(2000),
  ];
  const before = performance.now();
  for (const attack of attacks) assert.throws(() => parseReference(`docker://${attack}`));
  assert.ok(performance.now() - before < 200);
});

test("a password that somebody puts into a reference is not repeated", () => {
  assert.throws(
    () => parseReference("docker://user:hunter2@example.com/app"),
    (error) => error instanceof Error && !error.message.includes("hunter2"),
  );
});
