// What holds for every request: media types, sizes, addresses, methods, headers, and a store that is away.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startRedis } from "../../src/start/redis-server.ts";
import { giveSign, takeLeave, workerName } from "../../src/jobs/workers.ts";
import { ORDER, problemIn, startTestApi } from "../support/api.ts";

test("a body is taken as application/json only, and checked whenever it is taken", async () => {
  await using api = await startTestApi();
  const post = (contentType: string, more: Record<string, string> = {}) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const sent = request(
        `${api.url}/v1/jobs`,
        {
          method: "POST",
          headers: { ...(contentType !== "" && { "content-type": contentType }), ...more },
        },
        (response) => {
          text(response).then(
            (body) => resolve({ status: response.statusCode ?? 0, body }),
            reject,
          );
        },
      );
      sent.on("error", reject).end('{"unknown":1}');
    });
  for (const type of [
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON;charset=UTF-8",
    'application/json; charset="utf-8"',
  ]) {
    const answer = await post(type);
    assert.equal(answer.status, 400, type);
    assert.match(answer.body, /"\/unknown"/);
  }
  const refused = [
    "",
    "text/json",
    "text/plain",
    "application/json; garbage",
    "application/json; charset=latin1",
    "application/jsonx",
    "application/json\t;x",
    "application/json, text/plain",
    "multipart/form-data",
    "application/xml",
    "json",
  ];
  for (const type of refused) {
    const answer = await post(type);
    assert.equal(answer.status, 415, `${type}: ${answer.body}`);
    assert.equal((JSON.parse(answer.body) as { code: string }).code, "invalid_request");
  }
  assert.equal((await post("application/json", { "content-encoding": "gzip" })).status, 415);
  assert.equal(await api.countJobs(), 0);
});

test("a body is not larger than 256 KiB", async () => {
  await using api = await startTestApi();
  const padding = (bytes: number) => ({ ...ORDER, labels: { a: "x".repeat(bytes) } });
  const large = await api.request("POST", "/v1/jobs", { body: padding(256 * 1024) });
  assert.deepEqual([large.status, problemIn(large).code], [413, "invalid_request"]);
  const fits = await api.request("POST", "/v1/jobs", { body: padding(255 * 1024) });
  assert.equal(problemIn(fits).errors?.[0]?.pointer, "/labels/a");
  assert.equal(await api.countJobs(), 0);
});

test("addresses and methods that are not there are problems too", async () => {
  await using api = await startTestApi();
  for (const path of [
    "/",
    "/v1",
    "/v1/nothing",
    "/v1/jobs/",
    "/v2/jobs",
    `/v1/jobs/${"x".repeat(200)}`,
    "/v1/jobs/x/y",
  ]) {
    const answer = await api.request("GET", path);
    assert.deepEqual([answer.status, problemIn(answer).code], [404, "not_found"], path);
  }
  const wrong = await api.request("PUT", "/v1/jobs");
  assert.deepEqual(
    [wrong.status, wrong.headers.get("allow"), problemIn(wrong).code],
    [405, "POST, GET, HEAD", "invalid_request"],
  );
  assert.equal((await api.request("POST", "/v1/jobs/x/events")).status, 405);
  const bad = await api.request("GET", "/v1/jobs/%zz");
  assert.deepEqual([bad.status, problemIn(bad).code], [400, "invalid_request"]);
  const query = await api.request("GET", "/v1/nothing?token=hidden");
  assert.equal(problemIn(query).instance, "/v1/nothing");
});

test("what is not HTTP is answered with a problem as well", async () => {
  await using api = await startTestApi();
  const socket = connect(Number(new URL(api.url).port), "127.0.0.1");
  socket.end("NOT HTTP\r\n\r\n");
  assert.match(
    await text(socket),
    /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n[^]*"code":"invalid_request"/,
  );
});

test("answers carry headers that keep browsers from misreading them", async () => {
  await using api = await startTestApi();
  for (const path of ["/healthz", "/v1/jobs", "/v1/nothing"]) {
    const { headers } = await api.request("GET", path);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
  }
  const page = await fetch(`${api.url}/docs`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  assert.equal(
    (
      await fetch(`${api.url}/openapi.json`).then(
        (response) => response.json() as Promise<{ openapi: string }>,
      )
    ).openapi,
    "3.1.0",
  );
});

test("readiness tells how many workers give signs of life", async () => {
  await using api = await startTestApi();
  assert.deepEqual((await api.request("GET", "/healthz")).body, { status: "ok" });
  assert.deepEqual((await api.request("GET", "/readyz")).body, { status: "ready", workers: 0 });
  await giveSign(api.redis, workerName("host", "a"));
  assert.deepEqual((await api.request("GET", "/readyz")).body, { status: "ready", workers: 1 });
  await takeLeave(api.redis, workerName("host", "a"));
  assert.deepEqual((await api.request("GET", "/readyz")).body, { status: "ready", workers: 0 });
});

test("a store that may drop what it was given is not ready", async () => {
  await using api = await startTestApi();
  await api.redis.config("SET", "maxmemory-policy", "allkeys-lru");
  try {
    const answer = await api.request("GET", "/readyz");
    assert.equal(answer.status, 503);
    assert.match(problemIn(answer).detail, /noeviction/);
  } finally {
    await api.redis.config("SET", "maxmemory-policy", "noeviction");
  }
});

test("while the store is away every request is told so within two seconds, and all is well when it is back", async () => {
  const dir = await mkdtemp(join(tmpdir(), "transship-test-"));
  try {
    const first = await startRedis({ dir });
    await using api = await startTestApi({ redisUrl: first.url });
    const { id } = await api.submit();
    await first[Symbol.asyncDispose]();
    const routes = [
      ["POST", "/v1/jobs"],
      ["GET", "/v1/jobs"],
      ["GET", `/v1/jobs/${id}`],
      ["DELETE", `/v1/jobs/${id}`],
      ["POST", `/v1/jobs/${id}/retry`],
      ["GET", `/v1/jobs/${id}/manifest`],
      ["GET", `/v1/jobs/${id}/events`],
      ["GET", "/readyz"],
    ] as const;
    for (const [method, path] of routes) {
      const before = performance.now();
      const answer = await api.request(method, path, method === "POST" ? { body: ORDER } : {});
      assert.ok(performance.now() - before < 2000, path);
      assert.deepEqual([answer.status, problemIn(answer).code], [503, "service_unavailable"], path);
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    }
    assert.equal((await api.request("GET", "/healthz")).status, 200);
    await using _second = await startRedis({ dir });
    const deadline = performance.now() + 10_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline)
      status = (await api.request("GET", `/v1/jobs/${id}`)).status;
    assert.equal(status, 200);
    assert.equal((await api.request("POST", "/v1/jobs", { body: ORDER })).status, 202);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a hanging store is given up on", async () => {
  const dir = await mkdtemp(join(tmpdir(), "transship-test-"));
  try {
    await using redis = await startRedis({ dir });
    await using api = await startTestApi({ redisUrl: redis.url });
    await api.submit();
    process.kill(redis.pid, "SIGSTOP");
    try {
      const before = performance.now();
      const answer = await api.request("POST", "/v1/jobs", { body: ORDER });
      assert.equal(problemIn(answer).code, "service_unavailable");
      assert.ok(performance.now() - before < 3000);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("closing lets those who wait go, and answers them", async () => {
  const api = await startTestApi();
  const { id } = await api.submit();
  const waiting = api.request("GET", `/v1/jobs/${id}`, { headers: { prefer: "wait=60" } });
  await api.request("GET", "/healthz");
  const before = performance.now();
  await api[Symbol.asyncDispose]();
  assert.equal((await waiting).status, 200);
  assert.ok(performance.now() - before < 3000);
});
