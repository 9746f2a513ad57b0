// Listing tags: a registry's list comes in pages, and where the pages lead is the registry's word.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { nextLink } from "../../src/transport/docker/pages.ts";
import type { Registries } from "../../src/transport/docker/registries.ts";
import { listTags } from "../../src/transport/open.ts";
import { accessTo, failure } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type RegistryOptions } from "../support/registry.ts";
import { never, registriesFor } from "./docker-setup.ts";
import { processorMs } from "../support/time.ts";

const image = makeImage();
const USER = { username: "user", password: "pass" };

const list = (name: string, registries: Registries, more = {}) =>
  listTags(
    parseDockerReference(name, name),
    accessTo("/nowhere", "source", { tlsVerify: false, registries, ...more }),
    never,
  );

async function withTags(tags: readonly string[], options: RegistryOptions = {}) {
  const registry = await startRegistry(options);
  for (const tag of tags) registry.put("team/app", tag, image);
  return registry;
}

test("tags are listed over all pages, in the registry's order", async (t) => {
  const tags = Array.from({ length: 25 }, (_, i) => `v${String(i).padStart(2, "0")}`);
  await using registry = await withTags(tags, { tagsPerPage: 4 });
  assert.deepEqual(await list(`${registry.host}/team/app`, registriesFor(t)), tags);
  assert.equal(registry.requests.filter(({ kind }) => kind === "tags").length, 7);
});

test("tags are listed with credentials, on every page", async (t) => {
  await using registry = await withTags(["a", "b", "c"], {
    tagsPerPage: 1,
    auth: { kind: "bearer", ...USER, expiresIn: 300 },
  });
  const registries = registriesFor(t);
  const tags = await list(`${registry.host}/team/app`, registries, { credentials: USER });
  assert.deepEqual(tags, ["a", "b", "c"]);
  await assert.rejects(
    list(`${registry.host}/team/app`, registries, {
      credentials: { ...USER, password: "wrong" },
    }),
    failure("source_unauthorized"),
  );
});

test("a repository that does not exist is not found", async (t) => {
  await using registry = await startRegistry();
  await assert.rejects(
    list(`${registry.host}/team/none`, registriesFor(t)),
    failure("source_not_found", /404 to GET of the source's tags/),
  );
});

const BODIES: readonly (readonly [why: string, body: string, tags: readonly string[] | RegExp])[] =
  [
    ["null is an empty list", '{"name":"team/app","tags":null}', []],
    ["no list is an empty list", '{"name":"team/app"}', []],
    ["empty names are no tags", '{"tags":["","a",""]}', ["a"]],
    ["digests are no tags", `{"tags":["sha256:${"a".repeat(64)}","a"]}`, ["a"]],
    ["the order is the registry's", '{"tags":["b","a"]}', ["b", "a"]],
    ["a name that no tag can have is refused", '{"tags":["a","../b"]}', /"..\/b", which is not/],
    ["something else than text is refused", '{"tags":["a",{"b":1}]}', /\{"b":1\}, which is not/],
    ["something else than a list is refused", '{"tags":"a"}', /list of tags/],
    ["a page is refused", "<html>", /list of tags/],
    ["a list of lists is refused", "[]", /list of tags/],
    ["a key that occurs twice is refused", '{"tags":["a"],"Tags":["b"]}', /list of tags/],
    ["a page that is too large is refused", `{"tags":["${"a".repeat(5 << 20)}"]}`, /4194304 bytes/],
    [
      "more tags than an answer can hold are refused",
      JSON.stringify({ tags: Array.from({ length: 200_001 }, (_, i) => `t${i}`) }),
      /200000 tags/,
    ],
  ];
for (const [why, body, expected] of BODIES)
  test(`tags: ${why}`, async (t) => {
    await using registry = await withTags(["x"]);
    registry.fail("GET tags", { status: 200, body });
    const listed = list(`${registry.host}/team/app`, registriesFor(t));
    if (expected instanceof RegExp)
      await assert.rejects(listed, failure("registry_unavailable", expected));
    else assert.deepEqual(await listed, expected);
  });

/** What follows the first page, which has the tag `first`; `{host}` stands for the registry. */
const LINKS: readonly (readonly [why: string, link: string, tags: readonly string[] | RegExp])[] = [
  ["a path leads on", '</v2/team/app/tags/list?page=2>; rel="next"', ["first", "x"]],
  ["a query leads on", '<?page=2>; rel="next"', ["first", "x"]],
  ["an address leads on", '<http://{host}/v2/team/app/tags/list?n=9>; rel="next"', ["first", "x"]],
  [
    "another scheme and port of the same host are not asked, the registry itself is",
    '<https://127.0.0.1:1/v2/team/app/tags/list?n=9>; rel="next"',
    ["first", "x"],
  ],
  ["a link without rel leads on", "</v2/team/app/tags/list?page=2>", ["first", "x"]],
  ["a link to the page before does not", '</v2/team/app/tags/list?page=0>; rel="prev"', ["first"]],
  ["a link that cannot be read does not", "</v2/team/app", ["first"]],
  ["cloud metadata is not asked", '<http://169.254.169.254/latest>; rel="next"', /another host/],
  ["another name is not asked", '<http://localhost/v2/>; rel="next"', /another host/],
  ["another host by its start is not asked", '<//evil.example/v2/>; rel="next"', /another host/],
  ["another scheme without a host is not asked", '<data:,x>; rel="next"', /another host/],
  ["no address is not asked", '<http://[>; rel="next"', /another host/],
  [
    "a path that looks like a host stays a path",
    '<http://{host}//evil.example/x>; rel="next"',
    /404/,
  ],
];
for (const [why, link, expected] of LINKS)
  test(`the next page: ${why}`, async (t) => {
    await using registry = await withTags(["x"]);
    const headers = { link: link.replace("{host}", registry.host) };
    registry.fail("GET tags", { status: 200, times: 1, headers, body: '{"tags":["first"]}' });
    const listed = list(`${registry.host}/team/app`, registriesFor(t));
    if (Array.isArray(expected)) assert.deepEqual(await listed, expected);
    else await assert.rejects(listed, { message: expected as RegExp });
    assert.deepEqual(registry.elsewhere, []);
  });

test("a list that leads back to itself is read a thousand times at most", async (t) => {
  await using registry = await withTags(["x"]);
  const headers = { link: '</v2/team/app/tags/list>; rel="next"' };
  registry.fail("GET tags", { status: 200, headers, body: '{"tags":["x"]}' });
  await assert.rejects(
    list(`${registry.host}/team/app`, registriesFor(t)),
    failure("registry_unavailable", /more than 1000 pages/),
  );
  assert.equal(registry.requests.filter(({ kind }) => kind === "tags").length, 1_000);
});

test("after 1,000 pages a list is taken for endless", async (t) => {
  const tags = Array.from({ length: 1_001 }, (_, i) => `v${i}`);
  await using registry = await withTags(tags, { tagsPerPage: 1 });
  await assert.rejects(
    list(`${registry.host}/team/app`, registriesFor(t)),
    failure("registry_unavailable", /more than 1000 pages/),
  );
  assert.equal(registry.requests.filter(({ kind }) => kind === "tags").length, 1_000);
});

const HEADERS: readonly (readonly [header: string, target: string | undefined])[] = [
  ["", undefined],
  ["<a>", "a"],
  ['<a>; rel="next"', "a"],
  ["<a>;rel=next", "a"],
  ['<a>; REL="prev NEXT"', "a"],
  ['<a>; rel="prev"', undefined],
  ['<a>; rel="prev", <b>; rel="next"', "b"],
  ['<a>; rel="prev"; title="x, <y>; rel=next", <b>; rel="next"', "b"],
  ['<a>; title="\\"<b>"; rel=last, <c>', "c"],
  ["<a, b>; rel=next", "a, b"],
  ["<a", undefined],
  ["a>; rel=next", undefined],
];
for (const [header, target] of HEADERS)
  test(`Link: ${header || "nothing"}`, () => assert.equal(nextLink(header), target));

test("a long hostile Link takes no time", () => {
  for (const hostile of ["<".repeat(1e5), "<>;".repeat(1e5), `<a>;${'"\\'.repeat(1e5)}`]) {
    assert.ok(processorMs(() => nextLink(hostile)) < 200);
  }
});
