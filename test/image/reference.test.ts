import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import {
  formatReference,
  parseReference,
  pathsOf,
  whyReadOnly,
} from "../../src/image/reference.ts";
import { processorMs } from "../support/time.ts";

const digest = `sha256:${"a".repeat(64)}`;

const named = (name: string, tag?: string) => ({
  transport: "docker",
  registry: "docker.io",
  repository: `library/${name}`,
  ...(tag !== undefined && { tag }),
});

const good: readonly (readonly [string, object])[] = [
  ["docker://busybox", { registry: "docker.io", repository: "library/busybox", tag: "latest" }],
  ["docker://team/app", { registry: "docker.io", repository: "team/app", tag: "latest" }],
  [
    "docker://index.docker.io/library/busybox:1",
    { registry: "docker.io", repository: "library/busybox", tag: "1" },
  ],
  [
    "docker://docker.io/busybox:1",
    { registry: "docker.io", repository: "library/busybox", tag: "1" },
  ],
  [
    "docker://index.docker.io/busybox",
    { registry: "docker.io", repository: "library/busybox", tag: "latest" },
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
    { registry: "upper.example.com", repository: "app", tag: "latest" },
  ],
  ["docker://LocalHost/app", { registry: "localhost", repository: "app", tag: "latest" }],
  [
    "docker://INDEX.docker.io/app",
    { registry: "docker.io", repository: "library/app", tag: "latest" },
  ],
  ["docker://Upper/app", { registry: "Upper", repository: "app", tag: "latest" }],
  ["oci:layout", { path: "layout" }],
  ["oci:some/layout:1.0", { path: "some/layout", name: "1.0" }],
  [
    "oci:layout:registry.example.com/app:1.0",
    { path: "layout", name: "registry.example.com/app:1.0" },
  ],
  ["oci:layout:@3", { path: "layout", entry: 3 }],
  ["dir:some/where", { path: "some/where" }],
  ["oci-archive:a.tar", { path: "a.tar" }],
  ["oci-archive:some/a.tar:v1", { path: "some/a.tar", name: "v1" }],
  ["oci-archive:a.tar:@2", { path: "a.tar", entry: 2 }],
  ["docker-archive:a.tar", { path: "a.tar" }],
  ["docker-archive:some/a.tar:busybox", { path: "some/a.tar", name: named("busybox", "latest") }],
  [
    "docker-archive:a.tar:team/app:1",
    { path: "a.tar", name: { ...named("app", "1"), repository: "team/app" } },
  ],
  [
    "docker-archive:a.tar:localhost:5000/app:1",
    {
      path: "a.tar",
      name: { transport: "docker", registry: "localhost:5000", repository: "app", tag: "1" },
    },
  ],
  ["docker-archive:a.tar:@0", { path: "a.tar", entry: 0 }],
  ["docker-daemon:busybox:1", { name: named("busybox", "1") }],
  [`docker-daemon:busybox@${digest}`, { name: { ...named("busybox"), digest } }],
  [`docker-daemon:${digest}`, { id: digest }],
  ["tarball:a.tar", { paths: ["a.tar"] }],
  ["tarball:a.tar:some/b.tgz", { paths: ["a.tar", "some/b.tgz"] }],
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
  ["docker://256.256.256.256/app", /not a registry/],
  ["docker://example.123:5000/app", /not a registry/],
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
  ["oci-archive:", /path is missing after `oci-archive:`/],
  ["oci-archive:a.tar:", /image name/],
  ["oci-archive:a.tar:@-1", /entry/],
  ["docker-archive:", /path is missing after `docker-archive:`/],
  ["docker-archive:a.tar:", /repository is missing/],
  ["docker-archive:a.tar:Busybox", /lower-case/],
  ["docker-archive:a.tar:@", /entry/],
  ["docker-archive:a.tar:@1a", /entry/],
  [`docker-archive:a.tar:busybox@${digest}`, /a tag and no digest/],
  [`docker-archive:a.tar:busybox:1@${digest}`, /a tag and no digest/],
  ["docker-daemon:", /repository is missing/],
  ["docker-daemon:busybox", /a tag is missing/],
  [`docker-daemon:busybox:1@${digest}`, /a tag and a digest/],
  ["docker-daemon:sha256:abc", /`sha256` is no repository/],
  [`docker-daemon:sha512:${"a".repeat(128)}`, /SHA-256 only/],
  [`docker-daemon:${"a".repeat(64)}`, /taken for a digest/],
  ["tarball:", /path is missing/],
  ["tarball:a.tar:", /path is missing/],
  ["tarball:-", /standard input/],
  ["containers-storage:busybox", /not supported: push/],
  ["sif:x", /`sif:` is not supported: convert/],
  ["ostree:x", /`ostree:` is not supported: .*use `oci:`/],
  ["atomic:x", /`atomic:` is not supported: use `docker:`/],
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
  for (const attack of attacks)
    assert.ok(processorMs(() => assert.throws(() => parseReference(`docker://${attack}`))) < 100);
});

test("a password that somebody puts into a reference is not repeated", () => {
  assert.throws(
    () => parseReference("docker://user:hunter2@example.com/app"),
    (error) => error instanceof Error && !error.message.includes("hunter2"),
  );
});

const readOnly: readonly (readonly [text: string, why: RegExp | undefined])[] = [
  ["docker://busybox", undefined],
  [`docker://busybox@${digest}`, undefined],
  ["dir:x", undefined],
  ["oci:x", undefined],
  ["oci:x:@0", /`@0`.*can only be read/],
  ["oci-archive:x:v1", undefined],
  ["oci-archive:x:@0", /`@0`.*can only be read/],
  ["docker-archive:x", undefined],
  ["docker-archive:x:@0", /`@0`.*can only be read/],
  ["docker-daemon:x:1", undefined],
  [`docker-daemon:x@${digest}`, /write `name:tag`/],
  [`docker-daemon:${digest}`, /write `name:tag`/],
  ["tarball:x", /source only/],
];

for (const [text, why] of readOnly)
  test(`${text.slice(0, 60)} ${why === undefined ? "can" : "cannot"} be a destination`, () => {
    const reason = whyReadOnly(parseReference(text));
    if (why === undefined) assert.equal(reason, undefined);
    else assert.match(reason ?? "", why);
  });

test("the paths in a reference are all of them", () => {
  assert.deepEqual(pathsOf(parseReference("tarball:a:b")), ["a", "b"]);
  assert.deepEqual(pathsOf(parseReference("docker-archive:a:b")), ["a"]);
  assert.deepEqual(pathsOf(parseReference("docker-daemon:a:b")), []);
  assert.deepEqual(pathsOf(parseReference("docker://a")), []);
});
