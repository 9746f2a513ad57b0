// The rhythm that a cluster falls into, beside whatever limiter; and rules that are wrong, each of which must break what it is named for.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as real from "../../src/transport/docker/pace/rhythm.ts";
import type { Rhythm } from "../../src/transport/docker/pace/rhythm.ts";
import { fixedWindow, slidingWindow, tokenBucket, type Limiter } from "../support/limiters.ts";
import type { Second } from "../support/registry-limits.ts";
import { simulate, type Circumstances, type Rule } from "../support/rhythm-simulation.ts";

/** The rule itself, but for what is done to a rhythm after time has passed, and after a refusal. */
const but = (
  turned: (rhythm: Rhythm, now: number) => Rhythm,
  refused: typeof real.refused = real.refused,
): Rule => ({
  beginning: real.beginning,
  turns: (rhythm, wanted, now, horizon) => {
    const given = real.turns(turned(rhythm, now), wanted, now, horizon);
    return { ...given, rhythm: turned(given.rhythm, now) };
  },
  refused,
});

const held = (rate: number) => (rhythm: Rhythm, now: number) =>
  ({ ...rhythm, phase: "rising", rate, since: now }) as Rhythm;
const same = (rhythm: Rhythm) => rhythm;

const WRONG = {
  "asks for more, whatever is refused": but(held(150)),
  "asks hardly ever": but(held(1)),
  "halves a rate, and creeps up, as TCP does": but(
    (rhythm) => ({ ...rhythm, step: Math.min(rhythm.step, 0.1) }),
    (rhythm, _, now) =>
      ({ ...rhythm, phase: "rising", rate: rhythm.rate / 2, since: now }) as Rhythm,
  ),
  "never raises what it has found": but((rhythm, now) =>
    rhythm.step < 1 ? { ...rhythm, since: now } : rhythm,
  ),
  "keeps what it has found": but(same, (rhythm, silence, now) =>
    rhythm.step < 1 ? rhythm : real.refused(rhythm, silence, now),
  ),
  "takes any few for a heap": {
    ...real,
    turns: (rhythm, ...given) => {
      const after = real.turns(rhythm, ...given);
      const rate = Math.max(after.rhythm.rate, rhythm.rate * 0.99);
      return rhythm.step < 1 ? { ...after, rhythm: { ...after.rhythm, rate } } : after;
    },
  },
  "knocks each second": but((rhythm, now) => ({
    ...rhythm,
    next: Math.min(rhythm.next, now + 1000),
  })),
  "does not forgive a heap": but(same, (rhythm, silence, now) => {
    const after = real.refused(rhythm, silence, now);
    return rhythm.step < 1 ? { ...after, rate: rhythm.rate * 0.7 } : after;
  }),
} as const satisfies Record<string, Rule>;

const sum = (seconds: readonly Second[], what: keyof Second): number =>
  seconds.reduce((total, second) => total + second[what], 0);

interface Expected {
  /** Of what passed, so much may be refused. */
  readonly refused: number;
  /** Of what the registry takes in these seconds, so much is used. */
  readonly used: number;
}

/** What is not as expected, of some seconds at the end, in which the registry takes so many a second. */
function faults(seconds: readonly Second[], perSecond: number, { refused, used }: Expected) {
  const [passes, refusals] = [sum(seconds, "passed"), sum(seconds, "refused")];
  return [
    ...(refusals <= refused * passes ? [] : [`${refusals} refused of ${passes}`]),
    ...(passes >= used * perSecond * seconds.length ? [] : [`${passes} passed`]),
  ];
}

interface Case {
  readonly name: string;
  readonly breaks: readonly (keyof typeof WRONG)[];
  readonly run: (rule: Rule) => readonly string[];
}

const settles = (
  name: string,
  limiter: () => Limiter,
  perSecond: number,
  circumstances: Circumstances & { readonly after: number },
  expected: Expected,
  breaks: Case["breaks"] = ["asks for more, whatever is refused", "asks hardly ever"],
): Case => ({
  name,
  breaks,
  run: (rule) =>
    faults(
      simulate(rule, limiter(), circumstances).slice(circumstances.after),
      perSecond,
      expected,
    ),
});

const LIMITERS: readonly (readonly [name: string, limiter: () => Limiter, perSecond: number])[] = [
  ["a bucket of 50 a second that saves a second's worth", () => tokenBucket(50, 50), 50],
  ["a bucket of 50 a second that saves hardly any", () => tokenBucket(50, 5), 50],
  ["a bucket of 5 a second", () => tokenBucket(5, 5), 5],
  ["50 in each second of the clock", () => fixedWindow(50), 50],
  ["50 in whatever second", () => slidingWindow(50), 50],
];
const SECONDS = { seconds: 60, after: 10 } as const;
const [NONE, HARDLY] = [
  { refused: 0, used: 0.9 },
  { refused: 0.02, used: 0.9 },
];
const TCP = "halves a rate, and creeps up, as TCP does";

/** One limiter until so many seconds have passed, then another. */
function changing(first: Limiter, second: Limiter, at = 60): Limiter {
  return (now) => (now < at * 1000 ? first : second)(now);
}

const outage = (limiter: Limiter, from: number, to: number): Limiter =>
  changing(
    limiter,
    changing(() => false, limiter, to),
    from,
  );

const [FALLS, RISES] = [
  () => changing(tokenBucket(50, 50), tokenBucket(10, 10)),
  () => changing(tokenBucket(50, 50), tokenBucket(100, 100)),
];
const MINUTE = { seconds: 600, after: 180 } as const;

const CASES: readonly Case[] = [
  ...LIMITERS.flatMap(([name, limiter, perSecond]) => [
    settles(`${name}: after ten seconds none is refused`, limiter, perSecond, SECONDS, NONE, [
      "asks for more, whatever is refused",
      "asks hardly ever",
      TCP,
    ]),
    settles(
      `${name}, with Retry-After: 1: hardly any is refused after 20 seconds`,
      limiter,
      perSecond,
      { seconds: 60, after: 20, silence: 1000 },
      HARDLY,
    ),
  ]),
  settles(
    "600 in each minute of the clock, and nothing is said",
    () => fixedWindow(600, 60_000),
    10,
    MINUTE,
    { refused: 0.05, used: 0.9 },
  ),
  settles(
    "600 in each minute of the clock, with Retry-After: 10",
    () => fixedWindow(600, 60_000),
    10,
    { ...MINUTE, silence: 10_000 },
    { refused: 0.05, used: 0.9 },
  ),
  settles(
    "a registry whose answers take half a second",
    () => tokenBucket(50, 50),
    50,
    { seconds: 60, after: 14, roundTrip: 500 },
    NONE,
  ),
  settles(
    "half an hour: what is found is tried a little higher now and then",
    () => tokenBucket(50, 50),
    50,
    { seconds: 1800, after: 60 },
    { refused: 0.005, used: 0.95 },
    ["asks hardly ever", TCP],
  ),
  settles(
    "a rate that rises is found again within four minutes",
    RISES,
    100,
    { seconds: 600, after: 300 },
    { refused: 0.01, used: 0.9 },
    ["never raises what it has found"],
  ),
  settles(
    "a rate that falls is followed within 20 seconds",
    FALLS,
    10,
    { seconds: 180, after: 80 },
    { refused: 0.01, used: 0.85 },
    ["keeps what it has found"],
  ),
  settles(
    "a rate that is hardly too high is left within seconds",
    () => changing(tokenBucket(50, 5), tokenBucket(44, 5)),
    44,
    { seconds: 80, after: 68 },
    { refused: 0.002, used: 0.9 },
    ["keeps what it has found", "takes any few for a heap"],
  ),
  settles(
    "a rate that falls is followed within 20 seconds, with Retry-After: 1",
    FALLS,
    10,
    { seconds: 180, after: 80, silence: 1000 },
    { refused: 0.01, used: 0.85 },
    ["keeps what it has found"],
  ),
  settles(
    "after half a minute in which all is refused, what was known holds",
    () => outage(tokenBucket(50, 50), 60, 90),
    50,
    { seconds: 180, after: 105 },
    NONE,
    ["asks hardly ever"],
  ),
  settles(
    "a machine that stands still now and then, so that requests come in heaps",
    () => tokenBucket(50, 5),
    50,
    { seconds: 120, after: 10, stall: 400 },
    { refused: 0.02, used: 0.8 },
    ["does not forgive a heap"],
  ),
  {
    name: "100 in six hours: all are used, and hardly any request is made when there are none",
    breaks: ["knocks each second", "asks hardly ever"],
    run: (rule) => {
      const seen = simulate(rule, fixedWindow(100, 6 * 3_600_000), { seconds: 13 * 3600 });
      const late = sum(seen.slice(4 * 3600, 5 * 3600), "refused");
      return [
        ...(sum(seen, "passed") === 300 ? [] : [`${sum(seen, "passed")} passed`]),
        ...(late <= 30 ? [] : [`${late} refused in the fifth hour`]),
      ];
    },
  },
  {
    name: "a registry that lets nothing through is knocked at ever more rarely, but not forgotten",
    breaks: ["knocks each second"],
    run: (rule) => {
      const seen = simulate(rule, () => false, { seconds: 1210 });
      const minute = sum(seen.slice(10, 70), "refused");
      const later = sum(seen.slice(70), "refused");
      return minute <= 6 && later >= 8 && later <= 16 ? [] : [`${minute} knocks, then ${later}`];
    },
  },
];

for (const { name, breaks, run } of CASES) {
  test(name, () => assert.deepEqual(run(real), []));
  for (const wrong of breaks)
    test(`${name}; not by a rule that ${wrong}`, () => assert.notDeepEqual(run(WRONG[wrong]), []));
}
