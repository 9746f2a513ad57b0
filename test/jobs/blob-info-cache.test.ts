import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import type { Redis } from "ioredis";
import type { BlobFacts, BlobInfoCache, Candidate } from "../../src/copy/blob-info-cache.ts";
import { digestOf, type Digest } from "../../src/image/digest.ts";
import { RedisBlobInfoCache, type Bounds } from "../../src/jobs/blob-info-cache.ts";
import { connect, keys } from "../../src/jobs/redis.ts";
import { MemoryBlobInfoCache } from "../support/blob-info-cache.ts";
import type { Order } from "../support/blob-info-process.ts";
import { freezingProxy } from "../support/freezing-proxy.ts";
import { emptyRedis } from "../support/redis.ts";

const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
const REGISTRY = "r.example:5000";
const blob = (name: string): Digest => digestOf(Buffer.from(name));
const at = (repository: string, registry = REGISTRY) => ({ registry, repository });

interface Opened extends AsyncDisposable {
  readonly url: string;
  readonly redis: Redis;
  readonly errors: unknown[];
  readonly cache: BlobInfoCache;
  of(tenant: string): BlobInfoCache;
}

async function open(bounds: Partial<Bounds> = {}): Promise<Opened> {
  const url = await emptyRedis();
  const redis = connect(url, "patient");
  const errors: unknown[] = [];
  const of = (tenant: string) =>
    new RedisBlobInfoCache({ redis, tenant, onError: (error) => errors.push(error), bounds });
  const close = async () => redis.disconnect();
  return { url, redis, errors, of, cache: of("t"), [Symbol.asyncDispose]: close };
}

/** The facts of blobs by their names; the content of all is "plain". */
const plain: BlobFacts = {
  digest: blob("plain"),
  size: 100,
  uncompressed: blob("plain"),
  compression: "none",
};
const gzip: BlobFacts = {
  digest: blob("gzip"),
  size: 50,
  uncompressed: blob("plain"),
  compression: "gzip",
};
const zstd: BlobFacts = {
  digest: blob("zstd"),
  size: 40,
  uncompressed: blob("plain"),
  compression: "zstd",
};

const NAMES = new Map(["plain", "gzip", "zstd"].map((name) => [blob(name), name]));
const shown = ({ digest, size, compression, from }: Candidate): string =>
  `${NAMES.get(digest)} ${size} ${compression}${from ? ` ${from.repository}` : ""}`;

interface Row {
  readonly says: string;
  readonly recorded: readonly BlobFacts[];
  readonly asked?: Digest;
  readonly registry?: null;
  readonly expected: readonly string[];
  readonly uncompressed?: Digest;
}

const TABLE: readonly Row[] = [
  { says: "what was never recorded is not known", recorded: [], expected: [] },
  {
    says: "a blob that was seen is told with its place, and its content is not known",
    recorded: [{ digest: gzip.digest, size: 50, at: at("a") }],
    expected: ["gzip 50 undefined a"],
  },
  {
    says: "a blob that was seen in many places is told where it was seen last first",
    recorded: ["a", "b", "a", "c"].map((repository) => ({ ...gzip, at: at(repository) })),
    expected: ["gzip 50 gzip c", "gzip 50 gzip a", "gzip 50 gzip b"],
    uncompressed: plain.digest,
  },
  {
    says: "places in other registries are not told",
    recorded: [
      { ...gzip, at: at("a", "r.example") },
      { ...gzip, at: at("b", "r.example:50001") },
      { ...gzip, at: at("c/d") },
    ],
    expected: ["gzip 50 gzip c/d"],
    uncompressed: plain.digest,
  },
  {
    says: "other compressions of the same content are told, the uncompressed one last",
    recorded: [gzip, { ...zstd, at: at("z") }, { ...plain, at: at("p") }],
    expected: ["zstd 40 zstd z", "plain 100 none p"],
    uncompressed: plain.digest,
  },
  {
    says: "compressions of an uncompressed blob are told",
    recorded: [{ ...gzip, at: at("g") }, zstd, plain],
    asked: plain.digest,
    expected: ["gzip 50 gzip g", "zstd 40 zstd"],
    uncompressed: plain.digest,
  },
  {
    says: "a destination in no registry is told of no place, those recorded last first",
    recorded: [{ ...zstd, at: at("z") }, gzip, plain],
    registry: null,
    expected: ["zstd 40 zstd", "plain 100 none"],
    uncompressed: plain.digest,
  },
  {
    says: "facts add up, whatever their order",
    recorded: [
      { digest: gzip.digest, size: 50, at: at("a") },
      { digest: gzip.digest, size: 50, compression: "gzip" },
      { digest: gzip.digest, size: 50, uncompressed: plain.digest },
      { digest: gzip.digest, size: 50, at: at("b") },
    ],
    expected: ["gzip 50 gzip b", "gzip 50 gzip a"],
    uncompressed: plain.digest,
  },
  {
    says: "a fact that contradicts one that is known is dropped, and what stands with it is kept",
    recorded: [
      gzip,
      zstd,
      { ...gzip, uncompressed: blob("other"), compression: "xz", at: at("a") },
      { ...plain, digest: blob("other"), uncompressed: blob("other") },
    ],
    expected: ["gzip 50 gzip a", "zstd 40 zstd"],
    uncompressed: plain.digest,
  },
  {
    says: "that zstd is zstd:chunked is no contradiction, nor is zstd of what is known as zstd:chunked",
    recorded: [
      plain,
      zstd,
      { ...zstd, compression: "zstd:chunked", annotations: { toc: "x" } },
      { ...zstd, at: at("z") },
    ],
    asked: plain.digest,
    expected: ["zstd 40 zstd:chunked z"],
    uncompressed: plain.digest,
  },
  {
    says: "a size that a registry told gives way to one that was counted, not the other way round",
    recorded: [
      { digest: gzip.digest, size: 7, at: at("a") },
      gzip,
      { digest: gzip.digest, size: 8, at: at("b") },
    ],
    expected: ["gzip 50 gzip b", "gzip 50 gzip a"],
    uncompressed: plain.digest,
  },
];

for (const kind of ["Redis", "memory"] as const) {
  for (const { says, recorded, asked = gzip.digest, registry, expected, uncompressed } of TABLE) {
    test(`${kind}: ${says}`, async () => {
      await using redis = await open();
      const cache = kind === "Redis" ? redis.cache : new MemoryBlobInfoCache();
      for (const facts of recorded) await cache.record(facts);
      const given = { registry: registry === null ? undefined : REGISTRY, substitutes: true };
      assert.deepEqual((await cache.candidates(asked, given)).map(shown), expected);
      assert.equal(await cache.uncompressedOf(asked), uncompressed);
      assert.deepEqual(redis.errors, []);
    });
  }

  test(`${kind}: annotations come back as they were`, async () => {
    await using redis = await open();
    const cache = kind === "Redis" ? redis.cache : new MemoryBlobInfoCache();
    const annotations = { "io.github.x/é": 'a "quoted"\n\0 value', __proto__x: "" };
    await cache.record(plain);
    await cache.record({ ...zstd, compression: "zstd:chunked", annotations });
    const given = { registry: undefined, substitutes: true };
    assert.deepEqual(await cache.candidates(plain.digest, given), [
      { mediaType: "", digest: zstd.digest, size: 40, compression: "zstd:chunked", annotations },
    ]);
    assert.deepEqual(await cache.candidates(plain.digest, { ...given, substitutes: false }), []);
  });
}

const everywhere = { registry: REGISTRY, substitutes: true };

test("what one tenant has recorded no other is told", async () => {
  await using one = await open();
  for (const facts of [plain, gzip, zstd]) await one.cache.record({ ...facts, at: at("private") });
  for (const other of ["u", "T", "tt", ""]) {
    assert.deepEqual(await one.of(other).candidates(gzip.digest, everywhere), []);
    assert.equal(await one.of(other).uncompressedOf(gzip.digest), undefined);
  }
  await one.of("u").record({ ...gzip, at: at("own") });
  assert.deepEqual((await one.of("u").candidates(gzip.digest, everywhere)).map(shown), [
    "gzip 50 gzip own",
  ]);
  assert.equal((await one.cache.candidates(gzip.digest, everywhere)).length, 3);
});

test("everything lapses a month after it was last recorded", async () => {
  await using one = await open();
  await one.cache.record({ ...gzip, at: at("a") });
  const all = await one.redis.keys("*");
  assert.equal(all.length, 4);
  for (const key of all) await one.redis.pexpire(key, 60_000);
  await one.cache.record({ digest: gzip.digest, size: 50, at: at("a") });
  for (const key of all) {
    const left = await one.redis.pttl(key);
    assert.ok(left > KEPT_MS - 60_000 && left <= KEPT_MS, `${key}: ${left}`);
  }
});

test("a place where a blob was not seen for a month is not told, and is gone with the next record", async () => {
  await using one = await open();
  await one.cache.record({ ...gzip, at: at("old") });
  await one.cache.record({ ...gzip, at: at("new") });
  const places = `${keys.blob("t", gzip.digest)}:places`;
  const monthAgo = (Date.now() - KEPT_MS - 1000) * 1000;
  await one.redis.zadd(places, String(monthAgo), `${REGISTRY}/old`);
  assert.deepEqual((await one.cache.candidates(gzip.digest, everywhere)).map(shown), [
    "gzip 50 gzip new",
  ]);
  await one.cache.record({ ...gzip, at: at("new") });
  assert.deepEqual(await one.redis.zrange(places, "0", "-1"), [`${REGISTRY}/new`]);
});

test("of places, of compressions of a content and of blobs no more are kept than the bounds allow, and those are the last", async () => {
  await using one = await open({ places: 3, variants: 2, blobs: 4 });
  for (const repository of ["p", "q", "r", "s", "t"])
    await one.cache.record({ ...gzip, at: at(repository) });
  assert.deepEqual((await one.cache.candidates(gzip.digest, everywhere)).map(shown), [
    "gzip 50 gzip t",
    "gzip 50 gzip s",
    "gzip 50 gzip r",
  ]);
  await one.cache.record(plain);
  await one.cache.record(zstd);
  const variants = `${keys.blob("t", plain.digest)}:variants`;
  assert.deepEqual(await one.redis.lrange(variants, "0", "-1"), [zstd.digest, plain.digest]);

  for (let n = 0; n < 20; n++) {
    const facts = { ...gzip, digest: blob(`gzip ${n}`), uncompressed: blob(`plain ${n}`) };
    await one.cache.record({ ...facts, at: at("a") });
  }
  assert.equal(await one.redis.zcard(keys.tenantBlobs("t")), 4);
  // The list, and for each of its four blobs: facts, places, and the other blobs of its content.
  assert.equal((await one.redis.keys("*")).length, 1 + 4 * 3);
  assert.equal(await one.cache.uncompressedOf(blob("gzip 15")), undefined);
  assert.equal(await one.cache.uncompressedOf(blob("gzip 16")), blob("plain 16"));
});

test("what is malformed in Redis is not known, and what is beside it still is", async () => {
  await using one = await open();
  const key = keys.blob("t", zstd.digest);
  const rubbish = [
    ["size", "-1"],
    ["size", "1e3"],
    ["size", "9007199254740993"],
    ["size", ""],
    ["uncompressed", "sha256:../../etc/passwd"],
    ["compression", "constructor"],
    ["compression", ""],
    ["annotations", "{"],
    ["annotations", "[]"],
    ["annotations", '{"a":1}'],
    ["annotations", "[".repeat(100_000)],
  ] as const;
  for (const [field, value] of rubbish) {
    await one.redis.flushdb();
    for (const facts of [plain, gzip, zstd]) await one.cache.record({ ...facts, at: at("a") });
    assert.equal((await one.cache.candidates(gzip.digest, everywhere)).length, 3);
    await one.redis.hset(key, field, value);
    assert.deepEqual(
      (await one.cache.candidates(gzip.digest, everywhere)).map(shown),
      ["gzip 50 gzip a", "plain 100 none a"],
      `${field} ${value.slice(0, 40)}`,
    );
    assert.deepEqual(await one.cache.candidates(zstd.digest, everywhere), []);
  }
  assert.deepEqual(one.errors, []);
});

test("what is recorded, or asked, in one turn is one call to Redis", async () => {
  await using one = await open();
  const calls = async () => {
    const stats = await one.redis.info("commandstats");
    return Number(/cmdstat_eval(?:sha)?:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  await one.redis.call("CONFIG", "RESETSTAT");
  await Promise.all(
    [plain, gzip, zstd].map((facts) => one.cache.record({ ...facts, at: at("a") })),
  );
  await one.redis.call("CONFIG", "RESETSTAT");
  await Promise.all(
    [plain, gzip, zstd].map((facts) => one.cache.record({ ...facts, at: at("b") })),
  );
  assert.equal(await calls(), 1);
  await one.cache.candidates(zstd.digest, everywhere);
  await one.redis.call("CONFIG", "RESETSTAT");
  const told = await Promise.all(
    [gzip, zstd].map(({ digest }) => one.cache.candidates(digest, everywhere)),
  );
  assert.equal(await calls(), 1);
  assert.deepEqual(
    told.map((all) => all.slice(0, 2).map(shown)),
    [
      ["gzip 50 gzip b", "gzip 50 gzip a"],
      ["zstd 40 zstd b", "zstd 40 zstd a"],
    ],
  );
});

test("a name in Redis that is no repository is not told", async () => {
  await using one = await open();
  await one.cache.record({ ...gzip, at: at("a/b") });
  const places = `${keys.blob("t", gzip.digest)}:places`;
  for (const name of ["../../b", "", "a?x=1", "UPPER", "a:tag", `a@${gzip.digest}`, "a\r\nb", "a/"])
    await one.redis.zadd(places, String(Date.now() * 1000), `${REGISTRY}/${name}`);
  await one.redis.zadd(places, "+inf", `${REGISTRY}/never`);
  assert.deepEqual((await one.cache.candidates(gzip.digest, everywhere)).map(shown), [
    "gzip 50 gzip a/b",
  ]);
  await one.redis.lpush(`${keys.blob("t", plain.digest)}:variants`, "../x", zstd.digest, "");
  assert.equal((await one.cache.candidates(gzip.digest, everywhere)).length, 1);
});

test("keys of a wrong kind make nothing known, and are told of once", async () => {
  await using one = await open();
  await one.redis.set(keys.blob("t", gzip.digest), "x");
  await one.cache.record({ ...gzip, at: at("a") });
  assert.deepEqual(await one.cache.candidates(gzip.digest, everywhere), []);
  assert.equal(await one.cache.uncompressedOf(gzip.digest), undefined);
  assert.deepEqual(
    one.errors.map((error) => String(error).includes("WRONGTYPE")),
    [true],
  );
});

for (const away of ["gone", "silent"] as const) {
  test(`while Redis is ${away}, nothing is known, nobody waits for long, and it is told of once`, async () => {
    const url = await emptyRedis();
    await using proxy = await freezingProxy(url);
    const redis = connect(proxy.url, "hasty");
    await once(redis, "ready");
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    const cache = new RedisBlobInfoCache({ redis, tenant: "t", onError });
    await cache.record(gzip);
    assert.equal(await cache.uncompressedOf(gzip.digest), plain.digest);
    if (away === "gone") redis.disconnect();
    else proxy.freeze();
    const begun = performance.now();
    const answers = await Promise.all([
      cache.uncompressedOf(gzip.digest),
      cache.candidates(gzip.digest, everywhere),
      cache.record(gzip),
    ]);
    assert.deepEqual(answers, [undefined, [], undefined]);
    assert.ok(performance.now() - begun < 3000);
    assert.equal(errors.length, 1);
    redis.disconnect();
  });
}

test("processes that record the same blobs at once lose nothing, and keep to the bounds", async () => {
  await using one = await open();
  const blobs = Array.from({ length: 200 }, (_, n) => `blob ${n}`);
  const program = new URL("../support/blob-info-process.ts", import.meta.url);
  const children = [0, 1].map(() => fork(program, [one.url]));
  const ended = children.map((child) => once(child, "exit"));
  await Promise.all(children.map((child) => once(child, "message")));
  for (const [number, child] of children.entries()) {
    const facts = blobs.flatMap((name) =>
      [0, 1, 2, 3].map((n) => ({ ...gzip, digest: blob(name), at: at(`${number}/${n}`) })),
    );
    child.send({ facts, bounds: { places: 5, variants: 300 } } satisfies Order);
  }
  for (const [code] of await Promise.all(ended)) assert.equal(code, 0);

  const variants = `${keys.blob("t", plain.digest)}:variants`;
  assert.equal(await one.redis.llen(variants), blobs.length);
  for (const name of blobs) {
    assert.equal(await one.cache.uncompressedOf(blob(name)), plain.digest);
    assert.equal((await one.cache.candidates(blob(name), everywhere)).length, 5);
    assert.equal(await one.redis.zcard(`${keys.blob("t", blob(name))}:places`), 5);
  }
});
