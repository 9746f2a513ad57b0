import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { LocalPaceStore, Pace, type Decision } from "../../src/transport/docker/pace/pace.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import type { PaceState } from "../../src/transport/docker/pace/pace-state.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { tokenBucket } from "../support/limiters.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { never, openDestination, openSource, putImage, registriesFor } from "./docker-setup.ts";

const image = makeImage();
const PULLS = { limit: 100, windowSeconds: 21_600 } as const;

const count = (registry: TestRegistry, what: string): number =>
  registry.requests.filter(({ method, kind }) => `${method} ${kind}` === what).length;

const limited = (retryAfter: (ms: number) => boolean) => (error: unknown) => {
  assert.ok(error instanceof CopyError);
  assert.equal(error.code, "registry_rate_limited");
  assert.ok(retryAfter(error.context.retryAfterMs ?? 0), String(error.context.retryAfterMs));
  return true;
};

test("where one request was told to wait for long, none is sent with the same credentials, others are", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  const registries = registriesFor(t);
  await using first = await openSource(`${registry.host}/a:v1`, { registries });
  registry.fail("GET manifests", { times: 1, status: 429, headers: { "retry-after": "60" } });
  await assert.rejects(
    first.getManifest(undefined, never),
    limited((ms) => ms === 60_000),
  );
  const before = registry.requests.length;
  await using second = await openSource(`${registry.host}/a:v1`, { registries });
  await assert.rejects(
    second.getManifest(undefined, never),
    limited((ms) => ms > 30_000 && ms <= 60_000),
  );
  await using destination = await openDestination(`${registry.host}/b:v1`, { registries });
  await assert.rejects(
    destination.findManifest(undefined, never),
    limited((ms) => ms > 30_000),
  );
  assert.equal(registry.requests.length, before);
  const credentials = { username: "somebody", password: "else" };
  await using other = await openSource(`${registry.host}/a:v1`, { registries, credentials });
  await other.getManifest(undefined, never);
});

test("503 with a wish to be left alone counts as such, 503 without one does not", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  const registries = registriesFor(t);
  registry.fail("GET manifests", { times: 1, status: 503 });
  await using fine = await openSource(`${registry.host}/a:v1`, { registries });
  await fine.getManifest(undefined, never);
  registry.fail("GET manifests", { times: 1, status: 503, headers: { "retry-after": "60" } });
  await using source = await openSource(`${registry.host}/a:v1`, { registries });
  await assert.rejects(source.getManifest(undefined, never), { code: "registry_unavailable" });
  const before = registry.requests.length;
  await using next = await openSource(`${registry.host}/a:v1`, { registries });
  await assert.rejects(
    next.getManifest(undefined, never),
    limited((ms) => ms > 30_000),
  );
  assert.equal(registry.requests.length, before);
});

test("a short wish is sat out by everybody: nobody's turn comes before its time", async () => {
  const pace = new Pace(new LocalPaceStore());
  await pace.heard("host", 429, { waitMs: 1000 });
  const heard = performance.now();
  const turn = async () => {
    assert.equal(await pace.turn("host", false, never), "go");
    return performance.now() - heard;
  };
  for (const ms of await Promise.all([turn(), turn(), turn()])) assert.ok(ms > 950, `${ms} ms`);
  assert.equal(await pace.turn("another", false, never), "go");
});

test("manifests that are refused are put again, and uploads begun again", async (t) => {
  await using registry = await startRegistry();
  registry.fail("PUT manifests", { times: 2, status: 429 });
  registry.fail("POST uploads", { times: 2, status: 429 });
  await using destination = await openDestination(`${registry.host}/a:v1`, {
    registries: registriesFor(t),
  });
  await putImage(destination, image);
  assert.equal(registry.manifest("a", "v1")?.digest, image.digest);
  assert.equal(count(registry, "PUT manifests"), 3);
});

test("many requests at once are spread until the registry refuses none", async (t) => {
  await using registry = await startRegistry({
    limits: { limiter: () => tokenBucket(40, 10) },
  });
  registry.put("a", "v1", image);
  const registries = registriesFor(t);
  const end = performance.now() + 12_000;
  const read = async () => {
    while (performance.now() < end) {
      await using source = await openSource(`${registry.host}/a:v1`, { registries });
      await source.getManifest(undefined, never).catch((error: CopyError) => {
        assert.equal(error.code, "registry_rate_limited");
      });
    }
  };
  await Promise.all(Array.from({ length: 20 }, read));
  const { seconds } = registry.limits;
  const refusals = seconds.slice(-3).reduce((sum, { refused }) => sum + refused, 0);
  const passed = seconds.reduce((sum, second) => sum + second.passed, 0);
  assert.ok(refusals <= 3, JSON.stringify(seconds));
  assert.ok(passed > 150, JSON.stringify(seconds));
});

test("a request that waits for its turn can be aborted", async (t) => {
  await using registry = await startRegistry();
  const registries = registriesFor(t);
  registry.fail("GET manifests", { status: 429, headers: { "retry-after": "2" } });
  await using source = await openSource(`${registry.host}/a:v1`, { registries });
  const first = source.getManifest(undefined, never).catch(() => {});
  while (registry.requests.at(-1)?.status !== 429) await new Promise(setImmediate);
  const stop = new AbortController();
  await using other = await openSource(`${registry.host}/a:v1`, { registries });
  const waiting = other.getManifest(undefined, stop.signal);
  const why = new Error("enough");
  setImmediate(() => stop.abort(why));
  await assert.rejects(waiting, why);
  registry.heal();
  await first;
});

/** A store whose time passes as a test says. */
class HurriedStore extends LocalPaceStore {
  aheadMs = 0;

  override change<T>(
    key: string,
    decide: (state: PaceState | undefined, now: number) => Decision<T>,
  ) {
    return super.change(key, (state, now) => decide(state, now + this.aheadMs));
  }
}

test("a count that had run down is looked up by HEAD after a while, and pulls go on once there are more", async () => {
  await using registry = await startRegistry({ limits: { pulls: PULLS } });
  registry.put("a", "v1", image);
  registry.limits.pullsLeft = 11;
  const paces = new HurriedStore();
  const read = async () => {
    // A process of its own each time: it looks at the store at once.
    await using registries = new Registries(LOOPBACK_TOO, {}, {}, paces);
    await using source = await openSource(`${registry.host}/a:v1`, { registries });
    await source.getManifest(undefined, never);
  };
  const asked = () => [count(registry, "GET manifests"), count(registry, "HEAD manifests")];
  await read();
  await assert.rejects(
    read(),
    limited((ms) => ms > 200_000),
  );
  assert.deepEqual(asked(), [1, 0]);
  for (const looks of [1, 2]) {
    paces.aheadMs += 217_000;
    await assert.rejects(
      read(),
      limited((ms) => ms > 200_000),
    );
    assert.deepEqual(asked(), [1, looks]);
  }
  registry.limits.pullsLeft = 50;
  paces.aheadMs += 217_000;
  await read();
  assert.deepEqual(asked(), [2, 3]);
});

test("of the pulls that Docker Hub counts a tenth is left, and looking at the count costs none", async (t) => {
  await using registry = await startRegistry({ limits: { pulls: PULLS } });
  registry.put("a", "v1", image);
  registry.limits.pullsLeft = 12;
  const registries = registriesFor(t);
  const read = async () => {
    await using source = await openSource(`${registry.host}/a:v1`, { registries });
    await source.getManifest(undefined, never);
  };
  await read();
  await read();
  assert.equal(registry.limits.pullsLeft, 10);
  await assert.rejects(
    read(),
    limited((ms) => ms > 200_000 && ms <= 216_000),
  );
  assert.equal(registry.limits.pullsLeft, 10);
  // What is no pull goes on.
  await using destination = await openDestination(`${registry.host}/b:v1`, { registries });
  await putImage(destination, image);
});
