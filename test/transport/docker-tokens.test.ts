// How long a token is used, which one, and how often one is asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBuffer } from "../../src/bytes.ts";
import type { Code } from "../../src/codes.ts";
import type { BlobStream } from "../../src/copy/interfaces.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { scopesMissing } from "../../src/transport/docker/auth/challenge.ts";
import { Tokens, usableMs } from "../../src/transport/docker/auth/tokens.ts";
import { makeImage, seededBytes } from "../support/images.ts";
import type { Fault } from "../support/registry-http.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
  type Access,
} from "./docker-setup.ts";

const credentials = { username: "ada", password: "pass-w0rd" };
const bearer = { kind: "bearer", ...credentials } as const;
const image = makeImage();

async function start(auth: RegistryOptions["auth"]): Promise<TestRegistry> {
  const registry = await startRegistry({ ...(auth && { auth }) });
  registry.put("a", "v1", image);
  return registry;
}

async function pull(registry: TestRegistry, access: Access, repository = "a"): Promise<void> {
  await using source = await openSource(`${registry.host}/${repository}:v1`, access);
  await source.getManifest(undefined, never);
  for (const layer of image.layers) await readBlob(source, layer);
}

async function push(registry: TestRegistry, access: Access, repository = "to"): Promise<void> {
  await using destination = await openDestination(`${registry.host}/${repository}:v1`, access);
  await putImage(destination, image);
}

type Met = readonly Fault[];

const unauthorized = (times: number): Fault => ({ status: 401, times });

const refused = (registry: TestRegistry): number =>
  registry.requests.filter(({ status }) => status === 401).length;

/** What was asked of the token service, in order. */
const asked = (registry: TestRegistry): readonly string[] =>
  registry.requests
    .filter(({ kind }) => kind === "token")
    .map(({ path }) => new URL(path, registry.url).searchParams.getAll("scope").join(" "));

for (const [expiresIn, ms] of [
  [0, 50_000],
  [-5, 50_000],
  [0.3, 200],
  [3, 2_000],
  [30, 20_000],
  [60, 50_000],
  [300, 290_000],
  [43_200, 43_190_000],
] as const)
  test(`a token that says to live ${expiresIn} s is used for ${ms} ms`, () => {
    assert.equal(usableMs(expiresIn), ms);
  });

/** Tokens by a clock that a test sets, from a service that counts. */
function counted(expiresIn: number) {
  const state = { now: 0, fetched: 0 };
  const tokens = new Tokens(() => state.now);
  const fetch = async () => ({ text: `token-${++state.fetched}`, expiresIn });
  const get = (...keys: [string, ...string[]]) => tokens.get(keys, fetch, never);
  return { state, tokens, get };
}

test("fifty requests that find the token too old have one fetched between them", async () => {
  const { state, get } = counted(3);
  assert.equal(await get("a"), "token-1");
  state.now = 1_999;
  assert.equal(await get("a"), "token-1");
  for (let life = 2; life < 10; life++) {
    state.now += 2_000;
    const found = await Promise.all(Array.from({ length: 50 }, () => get("a")));
    assert.deepEqual(new Set(found), new Set([`token-${life}`]));
  }
  assert.equal(state.fetched, 9);
});

test("fifty requests that were refused with one token have one fetched between them", async () => {
  const { state, tokens, get } = counted(300);
  await get("a");
  const again = await Promise.all(
    Array.from({ length: 50 }, () => {
      tokens.forget(["a"], "token-1");
      return get("a");
    }),
  );
  assert.deepEqual(new Set(again), new Set(["token-2"]));
  assert.equal(state.fetched, 2);
});

test("a token of another key serves while it is at hand and young enough, not while it is on its way", async () => {
  const { state, get } = counted(3);
  const wide = get("wide");
  assert.equal(await get("narrow", "wide"), "token-2");
  assert.equal(await wide, "token-1");
  state.now = 1_900;
  assert.equal(await get("other", "wide"), "token-1");
  state.now = 2_100;
  assert.equal(await get("other", "wide"), "token-3");
});

test("a failure is not kept, and no one's but theirs who waited", async () => {
  const tokens = new Tokens();
  const fail = () => Promise.reject(new Error("no"));
  await assert.rejects(tokens.get(["a"], fail, never), { message: "no" });
  assert.equal(await tokens.get(["a"], async () => ({ text: "t", expiresIn: 1 }), never), "t");
});

test("the token service's clock may be wrong by an hour either way", async (t) => {
  for (const clockSkew of [-3600, 3600]) {
    await using registry = await start({ ...bearer, clockSkew });
    const access = { registries: registriesFor(t), credentials };
    await pull(registry, access);
    await pull(registry, access);
    assert.deepEqual(asked(registry), ["repository:a:pull"]);
    assert.equal(refused(registry), 1);
  }
});

test("whoever has a token to push there needs none to pull; the other way round it is no use", async (t) => {
  await using registry = await start(bearer);
  const access = { registries: registriesFor(t), credentials };
  await push(registry, access, "a");
  await pull(registry, access, "a");
  assert.deepEqual(asked(registry), ["repository:a:pull,push"]);
  await push(registry, access, "b");
  await pull(registry, access, "a");
  assert.deepEqual(asked(registry), ["repository:a:pull,push", "repository:b:pull,push"]);
  const fresh = { registries: registriesFor(t), credentials };
  await pull(registry, fresh, "a");
  await push(registry, fresh, "a");
  assert.deepEqual(asked(registry).slice(2), ["repository:a:pull", "repository:a:pull,push"]);
});

test("a scope that the registry asks for besides is asked for once, then known for the repository", async (t) => {
  const besides = "registry:catalog:*";
  await using registry = await start({ ...bearer, besides });
  const access = { registries: registriesFor(t), credentials };
  await pull(registry, access);
  await pull(registry, access);
  assert.deepEqual(asked(registry), ["repository:a:pull", `repository:a:pull ${besides}`]);
  // One without a token, one with too little in it.
  assert.equal(refused(registry), 2);
  registry.revokeTokens();
  await pull(registry, access);
  assert.deepEqual(asked(registry).slice(2), [`repository:a:pull ${besides}`]);
});

for (const [header, missing] of [
  ['Bearer realm="x",error="insufficient_scope",scope="repository:a:pull"', ["repository:a:pull"]],
  ['Bearer realm="x",error="insufficient_scope",scope="a:b:c  d:h:5/e:f"', ["a:b:c", "d:h:5/e:f"]],
  ['Bearer realm="x",error="insufficient_scope",scope="repository:a:pull,delete"', []],
  ['Bearer realm="x",error="invalid_token",scope="repository:a:pull"', []],
  ['Bearer realm="x",scope="repository:a:pull"', []],
  ['Bearer realm="x",error="insufficient_scope"', []],
  ['Bearer realm="x",error="insufficient_scope",scope="pull"', []],
  [`Bearer realm="x",error="insufficient_scope",scope="a:${"b".repeat(600)}:c"`, []],
  [`Bearer realm="x",error="insufficient_scope",scope="${"a:b:c ".repeat(9)}"`, []],
  ['Basic realm="x",error="insufficient_scope",scope="repository:a:pull"', []],
  ['Bearer error="insufficient_scope",scope="repository:a:pull', []],
  [undefined, []],
] as const)
  test(`${String(header).slice(0, 90)}: asks for ${JSON.stringify(missing)} besides`, () => {
    assert.deepEqual(scopesMissing(header), missing);
  });

test("a registry that says only at /v2/ how to authenticate is asked there once, others are not", async (t) => {
  for (const [silent, pings, unauthorized] of [
    [true, 1, 2],
    [false, 0, 1],
  ] as const) {
    await using registry = await start({ ...bearer, silent });
    const access = { registries: registriesFor(t), credentials };
    await pull(registry, access);
    await pull(registry, access);
    await push(registry, access);
    assert.equal(registry.requests.filter(({ kind }) => kind === "base").length, pings);
    assert.equal(refused(registry), unauthorized);
  }
});

test("a registry that never says how to authenticate is asked once, then no more", async (t) => {
  await using registry = await start(undefined);
  const registries = registriesFor(t);
  registry.fail("GET manifests", { status: 401 });
  for (let i = 0; i < 3; i++)
    await assert.rejects(pull(registry, { registries, credentials }), {
      code: "source_unauthorized",
    });
  assert.deepEqual(
    registry.requests.map(({ method, kind }) => `${method} ${kind}`),
    ["GET manifests", "GET base", "GET manifests", "GET manifests"],
  );
});

test("a token service that is busy or broken is asked again, as late as it says", async (t) => {
  await using registry = await start(bearer);
  const access = { registries: registriesFor(t), credentials };
  registry.fail("GET token", { times: 1, status: 503 });
  registry.fail("GET token", { times: 1, status: 429, headers: { "Retry-After": "1" } });
  await pull(registry, access);
  assert.equal(asked(registry).length, 3);
  registry.revokeTokens();
  registry.fail("GET token", { status: 429, headers: { "Retry-After": "3600" } });
  const failed = await pull(registry, access).catch((error: unknown) => error);
  assert.ok(failed instanceof CopyError);
  assert.equal(failed.code, "registry_rate_limited");
  assert.equal(failed.context.phase, "token");
  assert.equal(failed.context.retryAfterMs, 3_600_000);
  assert.equal(asked(registry).length, 4);
});

test("each identity has its own connections", async (t) => {
  const registries = registriesFor(t);
  const of = (access: object) =>
    registries.connections({ tlsVerify: true, ...access }, new URL("https://registry.test/"));
  assert.equal(of({ credentials }), of({ credentials: { ...credentials } }));
  assert.notEqual(of({ credentials }), of({}));
  assert.notEqual(of({ credentials }), of({ credentials: { ...credentials, password: "x" } }));
  assert.notEqual(of({ credentials }), of({ credentials, tlsVerify: false }));
});

test("an upload whose token is refused ends at once, not after all its bytes", async (t) => {
  await using registry = await start(bearer);
  const access = { registries: registriesFor(t), credentials };
  await using destination = await openDestination(`${registry.host}/to:v1`, access);
  const bytes = Buffer.alloc(64 * 1024 * 1024);
  const info = { digest: digestOf(bytes), size: bytes.length, mediaType: "" };
  registry.fail("PUT uploads", { times: 1, status: 401 });
  await destination.putBlob({ info, content: fromBuffer(bytes) }, never).catch(() => {});
  const put = registry.requests.find(({ method, kind }) => `${method} ${kind}` === "PUT uploads");
  assert.equal(put?.status, 401);
  assert.ok(put.bytes < bytes.length / 2, `${put.bytes} bytes were sent all the same`);
});

const MIB = 1024 * 1024;
const BROKEN_OFF = { reset: 5 * MIB, times: 1 };
/** What the requests that bring an upload's bytes meet, each 401 leading to another token; how many there are; and what becomes of it. */
const REFUSALS: readonly (readonly [string, Met, Met, number, Code | undefined])[] = [
  ["once", [unauthorized(1)], [], 2, undefined],
  ["twice", [unauthorized(2)], [], 2, "destination_unauthorized"],
  ["once, and then once more", [unauthorized(1), BROKEN_OFF], [unauthorized(1)], 4, undefined],
  [
    "once, and then twice",
    [unauthorized(1), BROKEN_OFF],
    [unauthorized(2)],
    4,
    "destination_unauthorized",
  ],
];
for (const [how, put, patch, sends, code] of REFUSALS)
  test(`an upload whose token is refused ${how}, bytes being stored between, is sent ${sends} times: ${code ?? "stored"}`, async (t) => {
    await using registry = await start(bearer);
    const access = { registries: registriesFor(t, { breakMs: 1 }), credentials };
    await using destination = await openDestination(`${registry.host}/to:v1`, access);
    const bytes = seededBytes("tokens", 12 * MIB);
    const info = { digest: digestOf(bytes), size: bytes.length, mediaType: "" };
    const again: BlobStream["again"] = ({ from, to }) => fromBuffer(bytes.subarray(from, to));
    for (const fault of put) registry.fail("PUT uploads", fault);
    for (const fault of patch) registry.fail("PATCH uploads", fault);
    const sent = destination.putBlob({ info, content: fromBuffer(bytes), again }, never);
    if (code === undefined) await sent;
    else await assert.rejects(sent, { code, message: / answered 401 to / });
    const bringing = registry.requests.filter(
      ({ kind, headers }) => kind === "uploads" && Number(headers["content-length"]) > 0,
    );
    assert.equal(bringing.length, sends);
    assert.equal(registry.openUploads, 0);
  });

test("a stream whose token is refused is worth another attempt: it has another", async (t) => {
  await using registry = await start(bearer);
  const access = { registries: registriesFor(t), credentials };
  await using destination = await openDestination(`${registry.host}/to:v1`, access);
  registry.fail("PATCH uploads", unauthorized(1));
  const stream = { info: { mediaType: "" }, content: fromBuffer(Buffer.alloc(MIB)) };
  await assert.rejects(destination.putBlob(stream, never), {
    code: "registry_unavailable",
    message: /answered 401 .*; there is another token now/,
  });
});
