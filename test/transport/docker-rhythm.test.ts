// The rhythm that a cluster falls into, in simulated time: ten processes that want more than the registry takes.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  announced,
  beginning,
  refused,
  turns,
  type Rhythm,
} from "../../src/transport/docker/pace/rhythm.ts";
import { fixedWindow, slidingWindow, tokenBucket, type Limiter } from "../support/limiters.ts";

const HORIZON_MS = 120;
const ROUND_TRIP_MS = 20;

interface Second {
  passed: number;
  refused: number;
}

/** Seeded: a test is the same each time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

/** What the registry saw, by seconds. `learns` false: as it would be without a rhythm. */
function simulate(
  limiter: Limiter,
  {
    silence = 0,
    seconds = 60,
    learns = true,
  }: { silence?: number; seconds?: number; learns?: boolean },
): readonly Second[] {
  const random = randomFrom(7);
  const seen = Array.from({ length: seconds }, (): Second => ({ passed: 0, refused: 0 }));
  const agenda: { at: number; act: (now: number) => void }[] = [];
  const later = (at: number, act: (now: number) => void) => agenda.push({ at, act });
  let rhythm: Rhythm | undefined;
  let until = 0;
  const knock = (now: number) => {
    const passes = limiter(now);
    (seen[Math.floor(now / 1000)] as Second)[passes ? "passed" : "refused"]++;
    if (passes || !learns) return;
    later(now + ROUND_TRIP_MS / 2, (heard) => {
      until = Math.max(until, heard + silence);
      rhythm = rhythm === undefined ? beginning(5, heard) : refused(rhythm, silence, heard);
    });
  };
  const serve = (now: number) => {
    if (until > now) return later(until + random() * 20, serve);
    if (rhythm === undefined) {
      for (let i = 0; i < 3; i++) later(now + random() * 100, knock);
      return later(now + 100, serve);
    }
    const given = turns(rhythm, 6, now, now + HORIZON_MS);
    rhythm = given.rhythm;
    for (const at of given.at) later(at + ROUND_TRIP_MS / 2 + random() * 10, knock);
    return later(Math.max(rhythm.next - HORIZON_MS / 2, now + 1) + random() * 20, serve);
  };
  for (let i = 0; i < 10; i++) later(random() * 100, serve);
  for (;;) {
    const first = agenda.reduce((a, b) => (b.at < a.at ? b : a));
    if (first.at >= seconds * 1000) return seen;
    agenda.splice(agenda.indexOf(first), 1);
    first.act(first.at);
  }
}

const sum = (seconds: readonly Second[], what: keyof Second): number =>
  seconds.reduce((total, second) => total + second[what], 0);

const LIMITERS: readonly (readonly [name: string, limiter: () => Limiter, perSecond: number])[] = [
  ["a bucket of 50 a second that saves a second's worth", () => tokenBucket(50, 50), 50],
  ["a bucket of 50 a second that saves hardly any", () => tokenBucket(50, 5), 50],
  ["a bucket of 5 a second", () => tokenBucket(5, 5), 5],
  ["50 in each second of the clock", () => fixedWindow(50), 50],
  ["50 in whatever second", () => slidingWindow(50), 50],
];
for (const [name, limiter, perSecond] of LIMITERS) {
  test(`${name}: after ten seconds nothing is refused, and nine tenths of it are used`, () => {
    const settled = simulate(limiter(), {}).slice(10);
    assert.equal(sum(settled, "refused"), 0);
    assert.ok(
      sum(settled, "passed") >= 0.9 * perSecond * settled.length,
      String(sum(settled, "passed")),
    );
  });

  test(`${name}, with Retry-After: 1: hardly anything is refused after 20 seconds, and it is used all the same`, () => {
    const settled = simulate(limiter(), { silence: 1000 }).slice(20);
    assert.ok(
      sum(settled, "refused") <= 0.02 * sum(settled, "passed"),
      String(sum(settled, "refused")),
    );
    assert.ok(
      sum(settled, "passed") >= 0.8 * perSecond * settled.length,
      String(sum(settled, "passed")),
    );
  });
}

test("a registry that counts by the minute is found out within minutes, though it says nothing", () => {
  const settled = simulate(fixedWindow(600, 60_000), { seconds: 600 }).slice(180);
  assert.ok(sum(settled, "passed") >= 0.7 * 10 * settled.length, String(sum(settled, "passed")));
  assert.ok(
    sum(settled, "refused") <= 0.05 * sum(settled, "passed"),
    String(sum(settled, "refused")),
  );
});

test("without a rhythm the refusals do not stop", () => {
  const settled = simulate(tokenBucket(50, 50), { learns: false }).slice(10);
  assert.ok(sum(settled, "refused") > 5000);
});

test("a rate that is not used up is neither raised nor taken for good", () => {
  let rhythm = beginning(20, 0);
  for (let now = 1000; now < 60_000; now += 500) ({ rhythm } = turns(rhythm, 1, now, now));
  assert.deepEqual([rhythm.phase, rhythm.rate, rhythm.low], ["seek", 10, 0]);
});

/** Everything that the rhythm gives in so many ms is taken. */
function busy(start: Rhythm, from: number, ms: number): Rhythm {
  let rhythm = start;
  for (let now = from; now < from + ms; now += 50) ({ rhythm } = turns(rhythm, 100, now, now + 50));
  return rhythm;
}

test("a rate that is held is tried a little higher after minutes, and goes back where that is refused", () => {
  const held = announced(100, 0);
  assert.equal(busy(held, 0, 179_000).rate, 96);
  const probed = busy(held, 0, 181_000);
  assert.deepEqual([probed.phase, Math.round(probed.rate)], ["probe", 99]);
  const back = refused(probed, 0, 182_000);
  assert.deepEqual([back.phase, back.rate], ["hold", 96]);
  assert.ok(busy(probed, 181_000, 60_000).rate > 140, "where it is not, it goes on rising");
});

test("turns are evenly spaced, and none is given beyond the horizon", () => {
  const { at, rhythm } = turns(announced(100 / 0.96, 1000), 5, 1000, 1025);
  assert.deepEqual(at, [1000, 1010, 1020]);
  assert.deepEqual(turns(rhythm, 5, 1001, 1026).at, []);
  assert.deepEqual(turns(rhythm, 1, 1010, 1035).at, [1030]);
});

test("turns that nobody took in time are made up for, but hardly more than an instant of them", () => {
  const { at } = turns(announced(100 / 0.96, 1000), 9, 2000, 2005);
  assert.deepEqual(at, [2000, 2000, 2000, 2000, 2000]);
});
