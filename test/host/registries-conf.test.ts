// The tables are those of containers/image (pkg/sysregistriesv2), transcribed.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findTable,
  matchOf,
  placeOf,
  pullSourcesOf,
  rewrite,
  type RegistriesConf,
} from "../../src/host/registries-conf.ts";
import { parseRegistriesConf } from "../../src/host/registries-conf-file.ts";
import { formatDockerName, parseDockerName } from "../../src/image/reference/docker.ts";

const DIGEST = `@sha256:${"a".repeat(64)}`;
const name = (text: string) => parseDockerName(text, text);
const conf = (text: string): RegistriesConf => parseRegistriesConf(text, "registries.conf", "main");

test("a prefix matches whole parts of a name, a wildcard whole labels of its host", () => {
  const rows: readonly (readonly [string, string, string | undefined])[] = [
    ["docker.io/a", "docker.io", "docker.io"],
    ["docker.io/a", "example.com", undefined],
    ["example.com:5000/a", "example.com:5000", "example.com:5000"],
    ["example.com:50000/a", "example.com:5000", undefined],
    ["example.com:5000/a", "example.com", "example.com"],
    ["example.com/foo/bar", "example.com", "example.com"],
    ["docker.io/libraryy", "docker.io/library", undefined],
    ["docker.io/library/busybox", "docker.io/library", "docker.io/library"],
    ["docker.io/library/busybox", "docker.io/library/busybox", "docker.io/library/busybox"],
    ["docker.io/library/busybox2", "docker.io/library/busybox", undefined],
    ["docker.io/library", "docker.io/library/busybox", undefined],
    ["example.com/foo", "example.com/foo:bar", undefined],
    ["example.com/foo", "*", undefined],
    ["docker.io/foo", "*.io", "docker.io"],
    ["example.com/foo", "*.co", undefined],
    ["example.com/foo", "*.example.com", undefined],
    ["sub.example.com/foo/bar", "*.example.com", "sub.example.com"],
    ["another.sub.example.com/foo", "*.sub.example.com", "another.sub.example.com"],
    ["another.sub.example.com:5000/foo", "*.example.com", "another.sub.example.com"],
    ["yet.another.example.com/foo", "**.example.com", undefined],
    ["example.net/namespace-ends-in.com/foo", "*.com", undefined],
    ["another.example.com/namespace.com/foo", "*.namespace.com", undefined],
    // Ours: theirs looks at the first place that the text of the wildcard occurs.
    ["a.com.b.com/foo", "*.com", "a.com.b.com"],
  ];
  for (const [text, prefix, matched] of rows)
    assert.equal(matchOf(text, prefix), matched?.length, `${text} and ${prefix}`);
});

test("a rewritten name has the location where the prefix was", () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    ["example.com/image", "example.com", "example.com", "example.com/image"],
    [
      "example.com:5000/image:v1",
      "example.com:5000",
      "example.com:5000",
      "example.com:5000/image:v1",
    ],
    [`example.com/foo${DIGEST}`, "example.com", "example.com", `example.com/foo${DIGEST}`],
    ["example.com/foo/image:v1", "example.com/foo", "example.com", "example.com/image:v1"],
    [
      "example.com/foo/image:v1",
      "example.com/foo",
      "example.com/path",
      "example.com/path/image:v1",
    ],
    ["docker.io/library/image", "docker.io/library", "example.com", "example.com/image"],
    ["docker.io/library/image", "docker.io", "example.com", "example.com/library/image"],
    ["docker.io/library/prefix/image", "*.io", "example.com", "example.com/library/prefix/image"],
    [
      "another.sub.example.io:5000/a/b:v1",
      "*.sub.example.io",
      "example.com",
      "example.com:5000/a/b:v1",
    ],
    [
      "foo.bar.io/ns1/ns2/ns3",
      "*.bar.io",
      "omg.bbq.com/roflmao",
      "omg.bbq.com/roflmao/ns1/ns2/ns3",
    ],
    [`a.foobar.io:5000/foo:v1${DIGEST}`, "*.foobar.io", "", `a.foobar.io:5000/foo:v1${DIGEST}`],
  ];
  for (const [text, prefix, location, expected] of rows)
    assert.equal(formatDockerName(rewrite(name(text), prefix, location)), expected);
});

test("a name that a rule would make and that is none is refused, and the message says which", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["example.com/foo/image:v1", "example.com/foo", "example.com/path/"],
    [`example.com/foo${DIGEST}`, "example.com/foo", "example.com"],
    ["example.com:5000/image:v1", "example.com", "example.com:5000"],
    ["example.com/image", "example.com", "anotherimage"],
    ["quay.io/image", "quay.io", "docker.io"],
    ["quay.io/image", "quay.io", "index.docker.io/library"],
    ["quay.io/image", "quay.io/image", "example.com/image:v2"],
  ];
  for (const [text, prefix, location] of rows)
    assert.throws(() => rewrite(name(text), prefix, location), {
      code: "reference_invalid",
      message: /registries\.conf has `.*` read from `.*`/,
    });
});

const SOURCES = `
[[registry]]
prefix = "registry-a.com/foo"
location = "registry-a.com/bar"
[[registry.mirror]]
location = "mirror-1.registry-a.com"
[[registry.mirror]]
location = "mirror-2.registry-a.com"
insecure = true
[[registry]]
prefix = "registry-b.com/foo"
location = "registry-b.com/bar"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror-1.registry-b.com"
[[registry]]
prefix = "registry-g.com/foo"
location = "registry-g.com/bar"
[[registry.mirror]]
pull-from-mirror = "digest-only"
location = "mirror-1.registry-g.com"
[[registry.mirror]]
pull-from-mirror = "tag-only"
location = "mirror-2.registry-g.com"
[[registry.mirror]]
location = "mirror-3.registry-g.com"
[[registry.mirror]]
pull-from-mirror = "all"
location = "mirror-4.registry-g.com"
`;

test("mirrors that are for such a reference come first, in their order, then the registry itself", () => {
  const places = (text: string) =>
    pullSourcesOf(conf(SOURCES), name(text)).map(
      ({ reference, insecure }) =>
        `${formatDockerName({ ...reference, repository: reference.repository.replace(/image$/, "") })}${insecure ? " insecure" : ""}`,
    );
  const tagged = (registry: string) => places(`${registry}/foo/image:aaa`);
  const digested = (registry: string) => places(`${registry}/foo/image:aaa${DIGEST}`);
  const all = [
    "mirror-1.registry-a.com/:aaa",
    "mirror-2.registry-a.com/:aaa insecure",
    "registry-a.com/bar/:aaa",
  ];
  assert.deepEqual(tagged("registry-a.com"), all);
  assert.deepEqual(
    digested("registry-a.com"),
    all.map((place) => place.replace(":aaa", `:aaa${DIGEST}`)),
  );
  assert.deepEqual(tagged("registry-b.com"), ["registry-b.com/bar/:aaa"]);
  assert.equal(digested("registry-b.com").length, 2);
  const ofG = (places_: readonly string[]) => places_.map((place) => place.slice(0, 8));
  assert.deepEqual(ofG(tagged("registry-g.com")), ["mirror-2", "mirror-3", "mirror-4", "registry"]);
  assert.deepEqual(ofG(digested("registry-g.com")), [
    "mirror-1",
    "mirror-3",
    "mirror-4",
    "registry",
  ]);
  assert.deepEqual(places("other.com/foo/image:aaa"), ["other.com/foo/:aaa"]);
});

test("the longest prefix wins, also over a wildcard, and of two tables with one prefix the first", () => {
  const found = conf(`
[[registry]]
location = "registry.com:5000"
prefix = "simple-prefix.com"
[[registry]]
location = "another-registry.com:5000"
prefix = "complex-prefix.com:4000/with/path"
[[registry]]
location = "no-prefix.com///"
[[registry]]
location = "subdomain-prefix.com"
prefix = "*.so.simple-prefix.com"
[[registry]]
location = "subdomain-prefix-2.com"
prefix = "*.simple-prefix.com"
[[registry]]
location = "subdomain-prefix-5.com"
prefix = "foo.bar.example.com:5000"
[[registry]]
prefix = "*.com"
[[registry]]
location = "never.com"
prefix = "simple-prefix.com"
`);
  const location = (text: string) => findTable(found, text)?.location;
  assert.equal(location("simple-prefix.com/foo/bar"), "registry.com:5000");
  assert.equal(location("not.so.simple-prefix.com/a"), "subdomain-prefix.com");
  assert.equal(location("not.quite.simple-prefix.com:5000/a/b"), "subdomain-prefix-2.com");
  assert.equal(
    location("complex-prefix.com:4000/with/path/and/beyond"),
    "another-registry.com:5000",
  );
  assert.equal(location("foo.bar.example.com:5000/a"), "subdomain-prefix-5.com");
  assert.equal(location("no-prefix.com/foo"), "no-prefix.com");
  assert.equal(location("anything.com/foo"), "");
  assert.equal(location("example.net/foo"), undefined);
});

const BLOCKED = `
[[registry]]
location = "never.com"
blocked = true
[[registry.mirror]]
location = "mirror.com/never"
[[registry.mirror]]
location = "bad.com/never"
[[registry]]
location = "bad.com"
blocked = true
[[registry]]
prefix = "moved.com"
location = "bad.com/moved"
blocked = true
[[registry]]
prefix = "old.com"
location = "bad.com"
blocked = true
[[registry]]
location = "plain.com:5000"
insecure = true
`;

test("a blocked registry is not read from, but from its mirrors, unless those are blocked themselves", () => {
  const sources = (text: string) =>
    pullSourcesOf(conf(BLOCKED), name(text)).map(({ reference, blockedBy }) => [
      reference.registry,
      blockedBy,
    ]);
  assert.deepEqual(sources("never.com/a"), [
    ["mirror.com", undefined],
    ["bad.com", "bad.com"],
    ["never.com", "never.com"],
  ]);
  assert.deepEqual(sources("moved.com/a"), [["bad.com", "moved.com"]]);
});

test("a host is the same in any case, so that no capital dodges a table", () => {
  const place = (text: string) =>
    placeOf(conf(BLOCKED.replace("never.com", "Never.com")), name(text));
  for (const text of ["never.com/a", "NEVER.com/a", "Never.Com:5000/a"])
    assert.equal(place(text).blockedBy, "never.com", text);
  const moved = conf('[[registry]]\nprefix = "*.Old.example"\nlocation = "New.example/old"');
  const [{ reference } = assert.fail()] = pullSourcesOf(moved, name("A.old.Example/a:V1"));
  assert.equal(formatDockerName(reference), "new.example/old/a:V1");
});

test("a place that is contacted by its own name is blocked or insecure by the table of that name", () => {
  const place = (text: string) => placeOf(conf(BLOCKED), name(text));
  assert.deepEqual(place("never.com/a"), { insecure: false, blockedBy: "never.com" });
  assert.deepEqual(place("plain.com:5000/a"), { insecure: true, blockedBy: undefined });
  assert.deepEqual(place("plain.com:5001/a"), { insecure: false, blockedBy: undefined });
});
