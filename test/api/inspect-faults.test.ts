// POST /v1/inspect of what is not there, not allowed, not valid or not true: the same codes as a job's, with their status.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { problemIn, startTestApi } from "../support/api.ts";
import { makeImage, makeList } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

const image = makeImage();
const USER = { username: "m4rk3d-user", password: "m4rk3d-password" };
const insecure = { tlsVerify: false };

const REFUSED: readonly (readonly [
  rule: string,
  body: unknown,
  status: number,
  code: string,
  ...pointers: readonly string[],
])[] = [
  ["a reference is needed", { raw: true }, 400, "invalid_request", "/reference"],
  ["the body is an object", "[]", 400, "invalid_request", ""],
  ["a flag is no text", { reference: "dir:a", raw: "true" }, 400, "invalid_request", "/raw"],
  [
    "unknown fields are errors",
    { reference: "dir:a", source: "dir:a", context: { compressionFormat: "gzip" } },
    400,
    "invalid_request",
    "/context/compressionFormat",
    "/source",
  ],
  [
    "prototypes are not touched",
    '{"reference":"dir:a","__proto__":{"raw":true},"context":{"constructor":{}}}',
    400,
    "invalid_request",
    "/__proto__",
    "/context/constructor",
  ],
  [
    "credentials are of one kind",
    { reference: "docker://a.example/b", context: { auth: { username: "u", identityToken: "t" } } },
    400,
    "invalid_request",
    "/context/auth",
  ],
  [
    "credentials are for registries",
    { reference: "dir:a", context: { auth: USER } },
    400,
    "invalid_request",
    "/context/auth",
  ],
  [
    "a reference has a transport",
    { reference: "a.example/b" },
    422,
    "reference_invalid",
    "/reference",
  ],
  ["a path stays in the data folder", { reference: "dir:../a" }, 422, "path_denied", "/reference"],
  ["a folder must be there", { reference: "dir:none" }, 404, "source_not_found"],
  ["a layout must be there", { reference: "oci:none:1" }, 404, "source_not_found"],
];

test("what is wrong with a request is told", async (t) => {
  await using api = await startTestApi();
  for (const [rule, body, status, code, ...pointers] of REFUSED)
    await t.test(rule, async () => {
      const problem = problemIn(await api.request("POST", "/v1/inspect", { body }));
      assert.deepEqual([problem.status, problem.code], [status, code]);
      assert.deepEqual((problem.errors ?? []).map(({ pointer }) => pointer).toSorted(), pointers);
    });
});

/** Puts an image with this config, however wrong, past the registry's own checks. */
function serve(registry: TestRegistry, config: { bytes: Buffer; digest?: Digest; size?: number }) {
  const { bytes, digest = digestOf(bytes), size = bytes.length } = config;
  registry.content.addBlob("app", digest, bytes);
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest, size },
    layers: [],
  };
  registry.fail("GET manifests", {
    status: 200,
    body: JSON.stringify(manifest),
    headers: { "content-type": OCI_MANIFEST },
  });
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const TRUE = json({ os: "linux" });

const CONFIGS: readonly (readonly [
  why: string,
  config: Parameters<typeof serve>[1],
  code: string,
  detail: RegExp,
])[] = [
  [
    "other bytes than it names",
    { bytes: TRUE, digest: digestOf(Buffer.from("x")) },
    "digest_mismatch",
    /expected/,
  ],
  ["fewer bytes than it names", { bytes: TRUE, size: TRUE.length + 1 }, "size_mismatch", /bytes/],
  ["more bytes than it names", { bytes: TRUE, size: TRUE.length - 1 }, "size_mismatch", /bytes/],
  [
    "more bytes than are looked into",
    { bytes: TRUE, size: 5 << 20 },
    "manifest_invalid",
    /5242880 bytes/,
  ],
  ["no JSON", { bytes: Buffer.from("{") }, "manifest_invalid", /config is refused/],
  ["a list for an object", { bytes: json([]) }, "manifest_invalid", /config is refused/],
  [
    "a field of another type",
    { bytes: json({ config: { Env: "A=b" } }) },
    "manifest_invalid",
    /`config.Env`/,
  ],
  [
    "a key in two spellings",
    { bytes: json({ os: "linux", OS: "windows" }) },
    "manifest_invalid",
    /spelling/,
  ],
  [
    "a time that is none",
    { bytes: json({ created: "yesterday" }) },
    "manifest_invalid",
    /`created`/,
  ],
  [
    "deeper nesting than is read",
    { bytes: Buffer.from("[".repeat(1e5)) },
    "manifest_invalid",
    /nested/,
  ],
];

test("a config that is not what it should be is refused", async (t) => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  for (const [why, config, code, detail] of CONFIGS)
    await t.test(why, async () => {
      serve(registry, config);
      const body = { reference: `docker://${registry.host}/app:1`, context: insecure };
      const answer = await api.request("POST", "/v1/inspect", { body });
      registry.heal();
      const problem = problemIn(answer);
      assert.deepEqual([problem.code, problem.side], [code, "source"]);
      assert.match(problem.detail, detail);
    });
  await t.test("and one that is what it should be is told", async () => {
    serve(registry, { bytes: TRUE });
    const body = { reference: `docker://${registry.host}/app:1`, context: insecure };
    assert.equal((await api.request("POST", "/v1/inspect", { body })).status, 200);
  });
});

const entry = (mediaType: string, more: object = {}) => ({
  mediaType,
  digest: image.digest,
  size: image.manifest.bytes.length,
  ...more,
});
const MANIFESTS: readonly (readonly [
  why: string,
  type: string,
  document: object | string,
  detail: RegExp,
])[] = [
  ["no JSON", OCI_MANIFEST, "<html>", /manifest is refused/],
  [
    "another type inside",
    OCI_MANIFEST,
    { schemaVersion: 2, mediaType: OCI_INDEX },
    /says of itself/,
  ],
  [
    "a list and an image in one",
    OCI_INDEX,
    { schemaVersion: 2, manifests: [], layers: [] },
    /ambiguous/,
  ],
  [
    "an entry that is served as something else",
    OCI_INDEX,
    {
      schemaVersion: 2,
      manifests: [entry("application/vnd.docker.distribution.manifest.v2+json")],
    },
    /was served as/,
  ],
  [
    "a layer's size below nothing",
    OCI_MANIFEST,
    { schemaVersion: 2, config: entry(OCI_CONFIG), layers: [entry(OCI_LAYER, { size: -1 })] },
    /size/,
  ],
];

test("a manifest that readers could disagree on is refused", async (t) => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  registry.put("app", image.digest, image);
  for (const [why, type, document, detail] of MANIFESTS)
    await t.test(why, async () => {
      const body = typeof document === "string" ? document : JSON.stringify(document);
      registry.fail("GET manifests", {
        status: 200,
        times: 1,
        body,
        headers: { "content-type": type },
      });
      const problem = problemIn(
        await api.request("POST", "/v1/inspect", {
          body: { reference: `docker://${registry.host}/app:1`, context: insecure },
        }),
      );
      assert.deepEqual([problem.status, problem.code], [422, "manifest_invalid"]);
      assert.match(problem.detail, detail);
    });
});

test("credentials are used, and turn up nowhere", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry({ auth: { kind: "bearer", ...USER } });
  registry.put("app", "1", makeList([image]));
  const ask = (auth: object, reference = `docker://${registry.host}/app:1`) =>
    api.request("POST", "/v1/inspect", {
      body: { reference, context: { ...insecure, os: "linux", architecture: "amd64", auth } },
    });
  const good = await ask(USER);
  assert.equal(good.body["image"], image.digest);
  const answers = [
    good,
    await ask({ ...USER, password: "m4rk3d-other" }),
    await ask({ identityToken: "m4rk3d-identity" }),
    await ask({ registryToken: "m4rk3d-registry" }),
    await ask(USER, `docker://${registry.host}/app:none`),
    await ask({ ...USER, identityToken: "m4rk3d-two" }),
    await ask({ username: "m4rk3d:colon", password: "m4rk3d" }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 401, 401, 401, 404, 400, 400],
  );
  const shown = answers.map(({ body, headers }) => [body, [...headers]]);
  const text = JSON.stringify([shown, api.log, await api.redis.keys("*")]);
  const encoded = Buffer.from(`${USER.username}:${USER.password}`).toString("base64");
  assert.ok(!text.includes("m4rk3d") && !text.includes(encoded));
  assert.ok(api.log.length > 5);
});

test("the rules of who may be asked hold for this, too", async () => {
  await using api = await startTestApi();
  const body = { reference: "docker://169.254.169.254/latest:meta-data", context: insecure };
  const problem = problemIn(await api.request("POST", "/v1/inspect", { body }));
  assert.deepEqual([problem.status, problem.code], [422, "host_denied"]);
});
