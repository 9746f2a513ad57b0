// POST /v1/tags over real HTTP, against a registry and layouts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessTo, makeDataDir, write } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { until } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { problemIn, startTestApi } from "../support/api.ts";

const image = makeImage();
const USER = { username: "m4rk3d-user", password: "m4rk3d-password" };
const insecure = { tlsVerify: false };

test("the tags of a repository are answered, over all pages", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry({ tagsPerPage: 2 });
  for (const tag of ["1.0", "1.1", "1.2", "latest", "x"]) registry.put("team/app", tag, image);
  const body = { reference: `docker://${registry.host}/team/app`, context: insecure };
  const answer = await api.request("POST", "/v1/tags", { body });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, {
    repository: `${registry.host}/team/app`,
    tags: ["1.0", "1.1", "1.2", "latest", "x"],
  });
});

test("the names in a layout are answered, and places of images without one", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  const access = accessTo(data.path, "destination");
  await write("oci:layout:v1", image, access);
  await write("oci:layout", makeImage({ seed: "unnamed" }), access);
  await write("oci:layout:team/app:v2", makeImage({ seed: "v2" }), access);
  const answer = await api.request("POST", "/v1/tags", { body: { reference: "oci:layout" } });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { repository: null, tags: ["v1", "@1", "team/app:v2"] });
});

test("credentials are used, and turn up nowhere", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry({ auth: { kind: "bearer", ...USER } });
  registry.put("team/app", "1", image);
  const reference = `docker://${registry.host}/team/app`;
  const ask = (auth: object) =>
    api.request("POST", "/v1/tags", { body: { reference, context: { ...insecure, auth } } });
  assert.deepEqual((await ask(USER)).body["tags"], ["1"]);
  const refused = await ask({ ...USER, password: "m4rk3d-other" });
  const problem = problemIn(refused);
  assert.deepEqual([problem.status, problem.code], [401, "source_unauthorized"]);
  assert.equal(problem.registry, registry.host);
  const kept = await api.redis.keys("*");
  assert.ok(!/m4rk3d/.test(JSON.stringify([refused.body, [...refused.headers], kept, api.log])));
  assert.ok(api.log.length > 0);
});

const REFUSED: readonly (readonly [
  rule: string,
  body: unknown,
  status: number,
  code: string,
  pointers: readonly string[],
])[] = [
  ["a reference is needed", {}, 400, "invalid_request", ["/reference"]],
  ["the body is an object", [], 400, "invalid_request", [""]],
  ["the body is there", undefined, 400, "invalid_request", [""]],
  ["the body is JSON", "{", 400, "invalid_request", [""]],
  [
    "a reference is text",
    { reference: ["docker://a.example/b"] },
    400,
    "invalid_request",
    ["/reference"],
  ],
  [
    "unknown fields are errors",
    { reference: "docker://a.example/b", raw: true, context: { os: "linux" } },
    400,
    "invalid_request",
    ["/context/os", "/raw"],
  ],
  [
    "credentials are of one kind",
    { reference: "docker://a.example/b", context: { auth: { ...USER, registryToken: "t" } } },
    400,
    "invalid_request",
    ["/context/auth"],
  ],
  [
    "credentials are for registries",
    { reference: "oci:a", context: { auth: USER } },
    400,
    "invalid_request",
    ["/context/auth"],
  ],
  [
    "a tag is refused",
    { reference: "docker://a.example/b:latest" },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  [
    "a digest is refused",
    { reference: `docker://a.example/b@sha256:${"a".repeat(64)}` },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  [
    "a port is no tag",
    { reference: "docker://a.example:5000" },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  [
    "a name in a layout is refused",
    { reference: "oci:a:b" },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  [
    "a place in a layout is refused",
    { reference: "oci:a:@0" },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  ["a folder has no tags", { reference: "dir:a" }, 422, "reference_invalid", ["/reference"]],
  ["files have no tags", { reference: "tarball:a" }, 422, "reference_invalid", ["/reference"]],
  [
    "an image in an archive has no tags",
    { reference: "docker-archive:a.tar:b" },
    422,
    "reference_invalid",
    ["/reference"],
  ],
  ["a transport is needed", { reference: "a.example/b" }, 422, "reference_invalid", ["/reference"]],
  [
    "a path stays in the data folder",
    { reference: "oci:../x" },
    422,
    "path_denied",
    ["/reference"],
  ],
  ["a layout must be there", { reference: "oci:none" }, 404, "source_not_found", []],
];

test("what is wrong with a request is told, and nobody is asked", async (t) => {
  await using api = await startTestApi();
  for (const [rule, body, status, code, pointers] of REFUSED)
    await t.test(rule, async () => {
      const problem = problemIn(
        await api.request("POST", "/v1/tags", { ...(body !== undefined && { body }) }),
      );
      assert.deepEqual([problem.status, problem.code], [status, code]);
      assert.deepEqual((problem.errors ?? []).map(({ pointer }) => pointer).toSorted(), pointers);
      assert.equal(problem.instance, "/v1/tags");
    });
});

test("what a registry does wrong is the registry's, with its word on when to ask again", async (t) => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  registry.put("team/app", "1", image);
  const ask = ({ host }: TestRegistry) =>
    api.request("POST", "/v1/tags", {
      body: { reference: `docker://${host}/team/app`, context: insecure },
    });
  await t.test("a repository that it does not have", async () => {
    const problem = problemIn(
      await api.request("POST", "/v1/tags", {
        body: { reference: `docker://${registry.host}/none`, context: insecure },
      }),
    );
    assert.deepEqual([problem.status, problem.code], [404, "source_not_found"]);
  });
  await t.test("a limit", async () => {
    registry.fail("GET tags", { status: 429, headers: { "retry-after": "30" } });
    const answer = await ask(registry);
    assert.deepEqual([answer.status, problemIn(answer).code], [429, "registry_rate_limited"]);
    assert.equal(answer.headers.get("retry-after"), "30");
  });
  // Another one: that one is left alone for half a minute.
  await using misleading = await startRegistry();
  await t.test("a list that leads to another host", async () => {
    const headers = { link: '<http://169.254.169.254/latest>; rel="next"' };
    misleading.fail("GET tags", { status: 200, headers, body: '{"tags":["1"]}' });
    const problem = problemIn(await ask(misleading));
    assert.deepEqual([problem.status, problem.code], [502, "registry_unavailable"]);
    assert.equal(problem.side, "source");
  });
});

test("a tenant whose lookups all hang gets 429, others are answered, and clients that leave make room", async () => {
  await using api = await startTestApi({ tenants: { a: "key-a", b: "key-b" } });
  await using registry = await startRegistry();
  registry.put("team/app", "1", image);
  registry.fail("GET tags", { stall: 0, times: 8 });
  const body = { reference: `docker://${registry.host}/team/app`, context: insecure };
  const ask = (key: string) =>
    api.request("POST", "/v1/tags", { body, headers: { authorization: `Bearer ${key}` } });
  const left = new AbortController();
  const hanging = Array.from({ length: 8 }, () =>
    fetch(`${api.url}/v1/tags`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", authorization: "Bearer key-a" },
      signal: left.signal,
    }).catch(() => {}),
  );
  const seen = () => registry.requests.filter(({ kind }) => kind === "tags").length;
  await until(() => seen() === 8, 5000, "not all are asking");
  const refused = await ask("key-a");
  assert.deepEqual([refused.status, problemIn(refused).code], [429, "quota_exceeded"]);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal((await ask("key-b")).status, 200);
  left.abort();
  await Promise.all(hanging);
  await until(async () => (await ask("key-a")).status === 200, 5000, "no room");
  assert.ok(!api.log.some((line) => line.includes("unexpectedly")));
});
