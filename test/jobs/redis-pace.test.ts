import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import { RedisPaceStore } from "../../src/jobs/redis-pace.ts";
import { connect } from "../../src/jobs/redis.ts";
import { Sealer } from "../../src/jobs/secrets.ts";
import { Pace } from "../../src/transport/docker/pace/pace.ts";
import { announced } from "../../src/transport/docker/pace/rhythm.ts";
import { emptyRedis } from "../support/redis.ts";

const never = new AbortController().signal;
const secretsKey = randomBytes(32).toString("hex");

/** A process of the cluster, as far as registries' limits go. */
async function store(t: TestContext, url: string) {
  const redis = connect(url, "hasty");
  await new Promise((resolve) => redis.once("ready", resolve));
  t.after(() => redis.disconnect());
  return { redis, paces: new RedisPaceStore(redis, Sealer.parse(secretsKey)) };
}

test("what one process hears holds for all, and for no other host or credential", async (t) => {
  const url = await emptyRedis();
  const [one, two] = [await store(t, url), await store(t, url)];
  await new Pace(one.paces).heard("host a", 429, { waitMs: 60_000 });
  const other = new Pace(two.paces);
  const turn = await other.turn("host a", false, never);
  assert.ok(typeof turn === "object" && turn.retryAfterMs > 50_000, JSON.stringify(turn));
  assert.equal(await other.turn("host b", false, never), "go");
});

test("changes at the same time are all made, each on what the one before has left", async (t) => {
  const url = await emptyRedis();
  const all = await Promise.all([store(t, url), store(t, url), store(t, url), store(t, url)]);
  const add = async ({ paces }: (typeof all)[number]) => {
    for (let i = 0; i < 25; i++)
      await paces.change("k", (state) => ({
        state: { until: (state?.until ?? 0) + 1 },
        result: undefined,
      }));
  };
  await Promise.all(all.map(add));
  assert.equal(await all[0].paces.change("k", (state) => ({ result: state?.until })), 100);
});

test("no two processes get the same turn", async (t) => {
  const url = await emptyRedis();
  const all = await Promise.all([store(t, url), store(t, url), store(t, url)]);
  await all[0].paces.change("host", (_, now) => ({
    state: { until: 0, rhythm: announced(200 / 0.96, now) },
    result: undefined,
  }));
  const paces = all.map(({ paces }) => new Pace(paces));
  const begun = performance.now();
  await Promise.all(
    paces.flatMap((pace) => Array.from({ length: 40 }, () => pace.turn("host", false, never))),
  );
  // 120 turns at 200 a second: they cannot have been over sooner, less what may be made up for.
  assert.ok(performance.now() - begun > 500, `${performance.now() - begun} ms`);
});

test("where Redis is away nobody waits", async (t) => {
  const redis = connect("redis://127.0.0.1:1", "hasty");
  t.after(() => redis.disconnect());
  const pace = new Pace(new RedisPaceStore(redis, Sealer.parse(secretsKey)));
  await pace.heard("host", 429, { waitMs: 60_000 });
  assert.equal(await pace.turn("host", false, never), "go");
});

test("a state of another shape is read as if nothing were known, and written over", async (t) => {
  const url = await emptyRedis();
  const { redis, paces } = await store(t, url);
  await new Pace(paces).heard("host", 429, { waitMs: 60_000 });
  const [key = ""] = await redis.keys("*");
  const ours = (await redis.get(key)) ?? "";
  const rhythm = { phase: "hold", rate: 0.1, since: 0, used: 0, next: 1e15, low: 0.1, high: 1 };
  for (const other of [
    JSON.stringify({ until: 1e15, rhythm }),
    ours.replace("2 ", "3 "),
    "what no version has ever written",
  ]) {
    await redis.set(key, other);
    const pace = new Pace(paces);
    assert.equal(await pace.turn("host", false, never), "go", other);
    await pace.heard("host", 429, { waitMs: 60_000 });
    assert.match((await redis.get(key)) ?? "", /^2 \{/);
    assert.equal(typeof (await new Pace(paces).turn("host", false, never)), "object");
  }
});

test("what is known lapses, and names neither host nor credential", async (t) => {
  const url = await emptyRedis();
  const { redis, paces } = await store(t, url);
  await new Pace(paces).heard("registry.example fingerprint", 429, { waitMs: 1000 });
  const [key = "", ...others] = await redis.keys("*");
  assert.deepEqual(others, []);
  assert.match(key, /^\{transship\}:pace:[0-9a-f]{64}$/);
  const left = await redis.pttl(key);
  assert.ok(left > 290_000 && left <= 301_000, String(left));
});
