// How often a registry that has refused may be asked: a rate that is learnt. Pure: the state is whatever a PaceStore keeps for the whole
// cluster, the time is its clock in ms. Requests go evenly, one every 1/rate, so that a limiter that counts by windows and one that
// fills a bucket are both content.
//
//   phase       what is sent        where none is refused        where one is refused
//   rising      all, at the rate    raised by a step, and on     back by that step; where there was none yet, or it was doubled: measuring
//   measuring   all, at the rate    rising                       in the end: rising, from what passes; nothing does: knocking
//   knocking    one now and then    rising, at the same rate     knocking, more rarely
//
// It begins as TCP does: twice as much each second, until the registry refuses. What passes then is what it lets through, whatever bursts
// it allows; a little less than that is kept, and raised by little only after minutes. Of a registry that wants silence (`Retry-After`) less
// is to be seen: from one refusal to the next, with the silence between them, passes the least that it lets through. Where nothing passes,
// a long window is used up: the rate is what passed from one such time to the next.

interface Beat {
  /** Requests a second. */
  readonly rate: number;
  /** When the next turn is. */
  readonly next: number;
  /** It is raised by twice this part of itself next; while it is sought, by all of itself. */
  readonly step: number;
  /** What it was before it was raised; 0: it has not been raised since it was found. */
  readonly before: number;
  /** When the phase began, or the rate begins to count. */
  readonly since: number;
  /** Turns since then, and refusals. */
  readonly given: number;
  readonly refusals: number;
  /** When there was nothing left for this rate, and how many have passed from then until `since`. */
  readonly spent?: { readonly at: number; readonly passed: number } | undefined;
}

interface Measuring extends Beat {
  readonly phase: "measuring";
  /** ms for which the registry wants to be left alone, each time. */
  readonly silence: number;
  /** It was refused soon after the rate began to count. */
  readonly soon: boolean;
}

export type Rhythm = (Beat & { readonly phase: "rising" | "knocking" }) | Measuring;

/** Steps: the first, each second; and those by which a rate is raised that has been found. */
const DOUBLING = 1;
const LARGEST = 0.1;
const SMALLEST = 0.003;
/** A rate that is too high by little shows it late: it is kept for so many ms / step before it is raised again, so for 1 to 100 s. */
const KEPT_MS = { times: 300, least: 1000 } as const;
/** Of what passes, so much is used: clocks and networks are uneven. */
const SHARE = 0.96;
/** Of the turns that there were, so many must have been taken: a rate that nobody uses up was not tried. */
const TRIED = 0.7;
/** Whole windows of a second, and of any part of one. */
const MEASURE_MS = 2000;
/** Where the registry wants silence: until the next refusal, but for the turns of so many seconds at most. */
const MEASURE_TURNS_S = 10;
/** Where no more than so many are refused, they came in heaps, as from a machine that stood still: the rate is hardly too high. */
const FEW = { refused: 0.1, less: 0.99 } as const;
/** But heaps are rare: what is refused again within so many ms is too high by as much as is refused. */
const SOON_MS = 3000;
/** Where no more than so many pass, nothing does: some answers are only on their way. */
const NOTHING = 0.05;
/** Where that is not to be seen: what a rate was before it was doubled had passed, and one that had been found is less far off. */
const BACK = { sought: 0.5, found: 0.75 } as const;
/** What is refused so soon after a rate was raised was sent before. */
const REACTION_MS = 250;
/** By then the answers to all that was sent before are there: where a rate is lowered, and to a knock. */
const SETTLING_MS = 750;
/** So far are knocks apart; the longest is well below the time for which a state is kept. */
const KNOCK_MS = { first: 1000, longest: 120_000 } as const;
/** Requests a second. With less, a turn would be further away than anybody waits for it. */
const LEAST = 0.1;
/** Turns that nobody was there for in time are not lost for so long. */
const LATE_MS = 40;

/** `passed`: how many are known to have been let through in a second. */
export const beginning = (passed: number, now: number): Rhythm =>
  // What was sent before there was a rhythm is still being refused for a while.
  start(Math.max(passed / 2, 1), DOUBLING, now, now + SETTLING_MS);

/** What a registry says outright is not sought. */
export const announced = (perSecond: number, now: number): Rhythm =>
  start(perSecond * SHARE, SMALLEST, now, now);

const start = (rate: number, step: number, next: number, since: number): Rhythm =>
  rising({ rate, next, step, before: 0, since, given: 0, refusals: 0 }, since, {});

/** Up to `wanted` turns, as the times at which they are, none later than `horizon`; and the rhythm after them. */
export function turns(
  earlier: Rhythm,
  wanted: number,
  now: number,
  horizon: number,
): { readonly rhythm: Rhythm; readonly at: readonly number[] } {
  const rhythm = advanced(earlier, now);
  const knocks = rhythm.phase === "knocking";
  const gap = knocks ? SETTLING_MS : 1000 / rhythm.rate;
  const most = knocks ? 1 - rhythm.given : wanted;
  const at: number[] = [];
  let next = Math.max(rhythm.next, now - LATE_MS);
  for (; at.length < most && next <= horizon; next += gap) at.push(Math.max(next, now));
  return { rhythm: { ...rhythm, next, given: rhythm.given + at.length }, at };
}

/** What becomes of a rhythm by time alone. */
function advanced(rhythm: Rhythm, now: number): Rhythm {
  const { phase, rate, step, given, since, next } = rhythm;
  switch (phase) {
    case "rising": {
      const kept = Math.max(KEPT_MS.times / step, KEPT_MS.least);
      return now - since < kept ? rhythm : raised(rhythm, now);
    }
    case "measuring":
      if (rhythm.silence === 0) return now - since < MEASURE_MS ? rhythm : measured(rhythm, now);
      return given < rate * MEASURE_TURNS_S ? rhythm : rising(rhythm, now, {});
    case "knocking":
      return given === 0 || now < next ? rhythm : rising(rhythm, now, { before: 0 });
  }
}

function raised(rhythm: Rhythm, now: number): Rhythm {
  const { rate } = rhythm;
  if (!tried(rhythm, now)) return rising(rhythm, now, { spent: undefined });
  const step = rhythm.step === DOUBLING ? DOUBLING : Math.min(rhythm.step * 2, LARGEST);
  return rising(rhythm, now, { rate: rate * (1 + step), step, before: rate, spent: undefined });
}

const tried = ({ rate, given, since }: Beat, now: number): boolean =>
  given >= (TRIED * rate * (now - since)) / 1000;

const rising = (earlier: Beat, since: number, changes: Partial<Beat>): Rhythm => {
  const beat = { ...countedFrom(earlier, since), ...changes };
  return { ...beat, phase: "rising", rate: Math.max(beat.rate, LEAST) };
};

function countedFrom(earlier: Beat, since: number): Beat {
  const { rate, next, step, before, given, refusals } = earlier;
  const { at, passed } = earlier.spent ?? { at: 0, passed: 0 };
  const spent = earlier.spent && { at, passed: passed + given - refusals };
  return { rate, next, step, before, since, given: 0, refusals: 0, spent };
}

/** Another process heard of the refusals while the rhythm began: what passed there passed besides. */
export const joined = (rhythm: Rhythm, passed: number, now: number): Rhythm =>
  rhythm.step === DOUBLING && now < rhythm.since
    ? { ...rhythm, rate: rhythm.rate + passed / 2 }
    : rhythm;

/** A request that was sent by this rhythm was refused. `silence`: ms for which nobody may ask now. */
export function refused(earlier: Rhythm, silence: number, now: number): Rhythm {
  const next = Math.max(earlier.next, now + silence);
  const rhythm = { ...earlier, next, refusals: earlier.refusals + 1 };
  const { since, step, before } = rhythm;
  switch (rhythm.phase) {
    case "rising":
      // After a silence nothing is on its way any more.
      if (now < since + (silence === 0 ? REACTION_MS : 0))
        return silence === 0 ? rhythm : { ...rhythm, since: Math.max(since, next) };
      return before === 0 || step === DOUBLING
        ? { ...countedFrom(rhythm, now), phase: "measuring", silence, soon: now < since + SOON_MS }
        : settled(rhythm, before, SMALLEST, silence, now);
    case "measuring":
      return rhythm.silence > 0 && now >= since + rhythm.silence
        ? measured(rhythm, now)
        : { ...rhythm, silence: Math.max(rhythm.silence, silence) };
    case "knocking":
      return knocking(rhythm, now);
  }
}

/** Lower, and from now on: what was sent at a higher rate is still being refused for a while. */
const settled = (earlier: Beat, rate: number, step: number, silence: number, now: number) =>
  rising(earlier, now + Math.max(silence, SETTLING_MS), { rate, step, before: 0 });

/** Finds a rate that passes, now that it is known how much of the one that was refused does. */
function measured(rhythm: Measuring, now: number): Rhythm {
  const { rate, step, given, refusals, silence, soon } = rhythm;
  const passed = given - refusals;
  if (passed < NOTHING * given) return nothingLeft(rhythm, now);
  const found = (at: number, by: number) => settled(rhythm, at, by, silence, now);
  const sought = step === DOUBLING;
  if (!sought && silence === 0 && refusals <= FEW.refused * given)
    return found(rate * Math.min(FEW.less, soon ? passed / given : 1), SMALLEST);
  const seen = SHARE * Math.min(perSecond(passed, now - rhythm.since), rate);
  if (tried(rhythm, now)) return found(seen, SMALLEST);
  // Where too few asked, or nobody for most of the time, more would have passed.
  return found(Math.max(seen, rate * (sought ? BACK.sought : BACK.found)), LARGEST);
}

const perSecond = (count: number, ms: number): number => (count * 1000) / ms;

/** Where it was so before, at the same rate and so at the same point of a window, what passed from then on is all that there is. */
function nothingLeft(rhythm: Beat, now: number): Rhythm {
  const { rate, step, since, spent } = rhythm;
  if (spent === undefined) {
    const first = { step: Math.min(step, LARGEST), spent: { at: since, passed: 0 } };
    return knocking({ ...rhythm, ...first }, now);
  }
  const found = SHARE * Math.min(perSecond(spent.passed, since - spent.at), rate);
  return knocking({ ...rhythm, rate: found, step: SMALLEST, spent: undefined }, now);
}

/** The longer nothing passes, the more rarely it is tried. */
function knocking(earlier: Beat, now: number): Rhythm {
  const { since } = earlier;
  const pause = Math.min(Math.max((now - since) / 2, KNOCK_MS.first), KNOCK_MS.longest);
  const next = Math.max(earlier.next, now + pause);
  return { ...countedFrom(earlier, since), phase: "knocking", next };
}
