// A cluster that keeps to a rhythm, in simulated time: processes that want more than a registry takes, and a registry that counts.

import type { Rhythm } from "../../src/transport/docker/pace/rhythm.ts";
import type { turns } from "../../src/transport/docker/pace/rhythm.ts";
import type { Limiter } from "./limiters.ts";
import type { Second } from "./registry-limits.ts";

/** What is tried: how a rhythm begins, goes on and hears of refusals. */
export interface Rule {
  readonly beginning: (passed: number, now: number) => Rhythm;
  readonly turns: typeof turns;
  readonly refused: (rhythm: Rhythm, silence: number, now: number) => Rhythm;
}

export interface Circumstances {
  readonly seconds: number;
  /** ms, with each refusal. */
  readonly silence?: number;
  /** ms from a request to its answer. */
  readonly roundTrip?: number;
  /** ms for which everything stands still now and then; then what is due comes in a heap. */
  readonly stall?: number;
}

/** Pace's own. */
const HORIZON_MS = 120;
const PROCESSES = 10;
/** Requests that wait in a process. */
const WANTED = 6;

/** Seeded: a simulation is the same each time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

type Act = (now: number) => void;

/** What the registry saw, by seconds. */
export function simulate(
  rule: Rule,
  limiter: Limiter,
  { seconds, silence = 0, roundTrip = 20, stall = 0 }: Circumstances,
): readonly Second[] {
  const random = randomFrom(7);
  const end = seconds * 1000;
  const seen = Array.from({ length: seconds }, (): Second => ({ passed: 0, refused: 0 }));
  const stalls = stall === 0 ? [] : stallsUntil(end, stall, random);
  const agenda: { readonly at: number; readonly act: Act }[] = [];
  const later = (at: number, act: Act) => {
    const still = stalls.find(({ from, to }) => at >= from && at < to);
    agenda.push({ at: still?.to ?? at, act });
  };
  let rhythm: Rhythm | undefined;
  let until = 0;
  const knock = (now: number) => {
    const passes = limiter(now);
    (seen[Math.floor(now / 1000)] as Second)[passes ? "passed" : "refused"]++;
    if (!passes) later(now + roundTrip / 2, hear);
  };
  const hear = (now: number) => {
    until = Math.max(until, now + silence);
    rhythm = rhythm === undefined ? rule.beginning(5, now) : rule.refused(rhythm, silence, now);
  };
  const serve = (now: number) => {
    if (until > now) return later(until + random() * 20, serve);
    if (rhythm === undefined) {
      for (let i = 0; i < 3; i++) later(now + random() * 100, knock);
      return later(now + 100, serve);
    }
    const given = rule.turns(rhythm, WANTED, now, now + HORIZON_MS);
    rhythm = given.rhythm;
    for (const at of given.at) later(at + roundTrip / 2 + random() * 10, knock);
    return later(Math.max(rhythm.next - HORIZON_MS / 2, now + 1) + random() * 20, serve);
  };
  for (let i = 0; i < PROCESSES; i++) later(random() * 100, serve);
  for (;;) {
    const first = agenda.reduce((a, b) => (b.at < a.at ? b : a));
    if (first.at >= end) return seen;
    agenda.splice(agenda.indexOf(first), 1);
    first.act(first.at);
  }
}

/** One every 2 to 14 s, a third as long as `stall` or longer. */
function stallsUntil(end: number, stall: number, random: () => number) {
  const stalls: { readonly from: number; readonly to: number }[] = [];
  for (let from = 3000; from < end; from += 2000 + random() * 12_000)
    stalls.push({ from, to: from + stall * (0.3 + random()) });
  return stalls;
}
