import assert from "node:assert/strict";
import { test } from "node:test";
import { limitsOf, type Limits } from "../../src/transport/docker/pace/limits.ts";
import {
  afterRefusal,
  afterWord,
  keptMs,
  pullsAt,
  turnsAt,
} from "../../src/transport/docker/pace/pace-state.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const GHCR = (message: string) =>
  JSON.stringify({ errors: [{ code: "TOOMANYREQUESTS", message }] });

const ANSWERS: readonly (readonly [
  what: string,
  status: number,
  headers: Record<string, string>,
  limits: Limits,
  body?: string,
])[] = [
  ["nothing said", 429, {}, {}],
  ["seconds", 429, { "retry-after": "7" }, { waitMs: 7000 }],
  ["a date", 503, { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }, { waitMs: 9000 }],
  ["a date that is over", 503, { "retry-after": "Thu, 01 Jan 2015 00:00:09 GMT" }, { waitMs: 0 }],
  ["the time at which it ends", 429, { "retry-after": String(NOW / 1000 + 5) }, { waitMs: 5000 }],
  ["words", 429, { "retry-after": "soon" }, {}],
  ["a wish with an answer that is no refusal", 201, { "retry-after": "7" }, {}],
  [
    "Docker Hub",
    200,
    { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" },
    { quota: { limit: 100, remaining: 76, windowMs: 21_600_000 } },
  ],
  ["a count without a window", 200, { "ratelimit-limit": "100", "ratelimit-remaining": "76" }, {}],
  ["no count at all", 200, { "ratelimit-limit": "0;w=60", "ratelimit-remaining": "0" }, {}],
  [
    "a window of a minute",
    200,
    { "ratelimit-limit": "600;w=60", "ratelimit-remaining": "3" },
    { perSecond: 10 },
  ],
  [
    "a reset in seconds",
    429,
    { "ratelimit-remaining": "0", "ratelimit-reset": "30" },
    { waitMs: 30_000 },
  ],
  [
    "a reset as a time",
    429,
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(NOW / 1000 + 12) },
    { waitMs: 12_000 },
  ],
  [
    "a reset while something remains",
    429,
    { "ratelimit-remaining": "5", "ratelimit-reset": "30" },
    {},
  ],
  [
    "GHCR's words",
    429,
    {},
    { waitMs: 1, perSecond: 44_000 / 60 },
    GHCR("retry-after: 247.604µs, allowed: 44000/minute"),
  ],
  ["a longer wait in GHCR's words", 429, {}, { waitMs: 62_500 }, GHCR("retry-after: 1m2.5s")],
  ["words of somebody else", 429, {}, {}, GHCR("retry after 10 seconds, allowed: many")],
  ["those words with success", 200, {}, {}, GHCR("retry-after: 1s, allowed: 44000/minute")],
];
for (const [what, status, headers, limits, body = ""] of ANSWERS)
  test(`${what}: ${JSON.stringify(limits)}`, () => {
    const url = new URL("https://registry.example/");
    const reply = { status, headers, url, body: Buffer.from(body), whole: true };
    assert.deepEqual(limitsOf(reply, NOW), limits);
  });

const QUOTA = { limit: 100, windowMs: 21_600_000 } as const;

test("pulls go on while more than a tenth of them is left", () => {
  const at = 1000;
  const left = (remaining: number) => ({ until: 0, quota: { ...QUOTA, remaining, at } });
  assert.equal(pullsAt(undefined, at), "go");
  assert.equal(pullsAt(left(11), at), "go");
  assert.deepEqual(pullsAt(left(10), at), { retryAfterMs: 216_000 });
  assert.deepEqual(pullsAt(left(0), at + 200_000), { retryAfterMs: 16_000 });
  assert.equal(pullsAt(left(0), at + 216_000), "ask");
  assert.equal(pullsAt(left(0), at + QUOTA.windowMs), "go");
});

test("pulls that are used up make nobody slower, but for pulling", () => {
  const state = afterRefusal(undefined, 429, { quota: { ...QUOTA, remaining: 0 } }, 5, 1000);
  assert.equal(state.rhythm, undefined);
  assert.equal(turnsAt(state, 1, 1000, 100).result, "free");
  assert.deepEqual(pullsAt(state, 1000), { retryAfterMs: 216_000 });
});

test("a count is news if it is another one, or was last heard a minute ago", () => {
  const word = { quota: { ...QUOTA, remaining: 50 } };
  const state = afterWord(undefined, word, 1000);
  assert.equal(state?.quota?.remaining, 50);
  assert.equal(afterWord(state, word, 2000), undefined);
  assert.equal(afterWord(state, word, 62_000)?.quota?.at, 62_000);
  assert.equal(
    afterWord(state, { quota: { ...QUOTA, remaining: 49 } }, 2000)?.quota?.remaining,
    49,
  );
});

test("nobody knocks while the registry wants silence, however many have heard so, nor for longer than half an hour", () => {
  const once = afterRefusal(undefined, 503, { waitMs: 60_000 }, 5, 1000);
  const shorter = afterRefusal(once, 503, { waitMs: 1000 }, 5, 2000);
  assert.deepEqual(turnsAt(shorter, 3, 2000, 100).result, {
    delays: [],
    nextMs: 59_000,
    silent: true,
  });
  assert.equal(turnsAt(shorter, 3, 61_000, 100).result, "free");
  assert.equal(afterRefusal(undefined, 429, { waitMs: 1e9 }, 5, 0).until, 30 * 60_000);
});

test("503 asks for silence only, 429 for fewer requests too", () => {
  assert.equal(afterRefusal(undefined, 503, { waitMs: 5 }, 5, 0).rhythm, undefined);
  assert.equal(afterRefusal(undefined, 429, { waitMs: 5 }, 5, 0).rhythm?.rate, 2.5);
  assert.equal(afterRefusal(undefined, 429, { perSecond: 100 }, 5, 0).rhythm?.rate, 96);
});

test("what nobody has used for five minutes is forgotten, but neither a wish nor a count before its time", () => {
  const now = 10_000_000;
  assert.equal(keptMs({ until: 0 }, now), 300_000);
  assert.equal(keptMs({ until: now + 60_000 }, now), 360_000);
  const quota = { ...QUOTA, remaining: 5, at: now };
  assert.equal(keptMs({ until: 0, quota }, now), QUOTA.windowMs);
});
