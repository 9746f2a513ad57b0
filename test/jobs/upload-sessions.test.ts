import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { connect, PREFIX } from "../../src/jobs/redis.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { RedisUploadSessions } from "../../src/jobs/upload-sessions.ts";
import { emptyRedis } from "../support/redis.ts";

const place = { registry: "r.example", repository: "a/b", digest: digestOf(Buffer.from("x")) };
const url = new URL("https://store.example/upload/1?signature=marked");
const newSealer = () => Sealer.parse(randomBytes(32).toString("hex"));

async function open() {
  const redis = connect(await emptyRedis(), "patient");
  const sealer = newSealer();
  const errors: unknown[] = [];
  const of = (tenant: string, more: object = {}) =>
    new RedisUploadSessions({ redis, sealer, tenant, onError: (e) => errors.push(e), ...more });
  return { redis, errors, of, [Symbol.asyncDispose]: async () => redis.disconnect() };
}

test("an upload is found by another worker of the tenant, until it is forgotten", async () => {
  await using opened = await open();
  assert.equal(await opened.of("t").find(place), undefined);
  await opened.of("t").remember(place, new URL("https://store.example/old"));
  await opened.of("t").remember(place, url);
  assert.deepEqual(await opened.of("t").find(place), url);
  await opened.of("t").forget(place);
  assert.equal(await opened.of("t").find(place), undefined);
});

test("it is not found for another tenant, place or digest", async () => {
  await using opened = await open();
  await opened.of("t").remember(place, url);
  assert.equal(await opened.of("u").find(place), undefined);
  for (const other of [
    { registry: "q.example" },
    { repository: "a" },
    { digest: digestOf(Buffer.from("y")) },
  ])
    assert.equal(await opened.of("t").find({ ...place, ...other }), undefined);
});

test("it lapses", async () => {
  await using opened = await open();
  await opened.of("t").remember(place, url);
  const [key = ""] = await opened.redis.keys(`${PREFIX}*upload*`);
  const left = await opened.redis.pttl(key);
  assert.ok(left > 0 && left <= 60 * 60 * 1000, String(left));
});

test("Redis sees nothing of where it goes on, and another key does not open it", async () => {
  await using opened = await open();
  await opened.of("t").remember(place, url);
  const [key = ""] = await opened.redis.keys(`${PREFIX}*upload*`);
  assert.doesNotMatch((await opened.redis.get(key)) ?? "", /store|marked/);
  assert.equal(await opened.of("t", { sealer: newSealer() }).find(place), undefined);
  assert.equal(opened.errors.length, 1);
});

test("what was put under another name does not open", async () => {
  await using opened = await open();
  await opened.of("t").remember(place, url);
  const [key = ""] = await opened.redis.keys(`${PREFIX}*upload*`);
  await opened.redis.rename(key, key.replace("r.example", "evil.example"));
  assert.equal(await opened.of("t").find({ ...place, registry: "evil.example" }), undefined);
  assert.equal(opened.errors.length, 1);
});

test("where Redis is away nothing is known, and nothing fails", async () => {
  await using opened = await open();
  opened.redis.disconnect();
  await opened.of("t").remember(place, url);
  assert.equal(await opened.of("t").find(place), undefined);
  assert.equal(opened.errors.length, 2);
});
