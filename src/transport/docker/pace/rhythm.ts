// How often a registry that has refused may be asked: a rate that is learnt. Pure: the state is whatever a PaceStore keeps for the whole
// cluster, the time is its clock in ms. Requests go evenly, one every 1/rate, so that a limiter that counts by windows and one that
// fills a bucket are both content.
//
// The rate is sought as TCP seeks its own: from what little is known to have passed, twice as much each second, until the registry
// refuses. Then it depends on what the registry says. Without `Retry-After` the rate is kept for two seconds more: what passes of it
// is what the registry lets through, whatever bursts it allows, and a little less than that is held. With `Retry-After` nobody may ask, so
// nothing can be measured: the rate is narrowed down between what passed and what did not. Where nothing passes any more, a long window is
// used up: one request knocks now and then, and the rate is what passed from one such time to the next. A rate that is held is tried a
// little higher after minutes only.

export interface Rhythm {
  readonly phase: "seek" | "measure" | "blocked" | "narrow" | "hold" | "probe";
  /** Requests a second. */
  readonly rate: number;
  /** When this rate begins to count. */
  readonly since: number;
  /** Turns given since then: a rate that nobody uses up says nothing. */
  readonly used: number;
  /** When the next turn is. */
  readonly next: number;
  /** A rate that passed; 0: none is known. */
  readonly low: number;
  /** One that did not. */
  readonly high: number;
  /** Since the registry was last known to have nothing left. */
  readonly empty: Stretch;
}

interface Stretch {
  readonly at: number;
  readonly turns: number;
  readonly refusals: number;
  /** ms that it asked for. */
  readonly silence: number;
  /** Nothing passed for a while, though it did not ask for silence. */
  readonly blocked: boolean;
}

/** Of the rate that passes, so much is used: clocks and networks are uneven. */
const SHARE = 0.96;
const STEP_MS = 1000;
/** Turns that nobody was there for in time are not lost for so long. */
const LATE_MS = 40;
const MEASURE_MS = 2000;
const NARROW_MS = 1500;
const HOLD_MS = 180_000;
const PROBE_MS = 10_000;
/** What comes so soon after a change was sent before it: so it is while a rate rises, and when one falls, for longer. */
const REACTION_MS = 250;
const SETTLING_MS = 750;
/** A registry that lets nothing through is knocked at once in so many ms, ever more rarely. */
const KNOCK_MS = { first: 1000, longest: 30_000 } as const;
/** A knock that was not refused for so long was let in. */
const LET_IN_MS = 500;
/** Below so many a second, what is asked for is silence and not a slower rhythm. */
const LEAST = 0.1;
/** Of the turns that there were, so many must have been used for a rate to count as tried. */
const TRIED = 0.7;
/** A rate that is refused more often than that is not just late now and then: it is no longer true. */
const OFTEN = 0.1;
/** A stretch without refusals tells what passes if it lasted at least so long, and was not mostly silence. */
const STRETCH_MS = 3000;

/** `passed`: how many are known to have been let through in a second. */
export const beginning = (passed: number, now: number): Rhythm => {
  const start = { low: 0, high: 0, next: now, empty: emptyAt(now) };
  // What was sent before there was a rhythm is still being refused for a while.
  return changed(start, "seek", Math.max(passed / 2, 1), now + SETTLING_MS);
};

/** What a registry says outright is not sought. */
export const announced = (perSecond: number, now: number): Rhythm =>
  changed({ high: 0, low: 0, next: now, empty: emptyAt(now) }, "hold", perSecond * SHARE, now);

const emptyAt = (at: number): Stretch => ({
  at,
  turns: 0,
  refusals: 0,
  silence: 0,
  blocked: false,
});

const changed = (
  rhythm: Pick<Rhythm, "low" | "high" | "next" | "empty">,
  phase: Rhythm["phase"],
  rate: number,
  since: number,
): Rhythm => ({ ...rhythm, phase, rate: Math.max(rate, LEAST), since, used: 0 });

/** Up to `wanted` turns, as the times at which they are, none later than `horizon`; and the rhythm after them. */
export function turns(
  before: Rhythm,
  wanted: number,
  now: number,
  horizon: number,
): { readonly rhythm: Rhythm; readonly at: readonly number[] } {
  const rhythm = advanced(before, now);
  const blocked = rhythm.phase === "blocked";
  const gap = blocked ? LET_IN_MS : 1000 / rhythm.rate;
  const at: number[] = [];
  let next = Math.max(rhythm.next, now - LATE_MS);
  const most = blocked ? 1 - rhythm.used : wanted;
  for (; at.length < most && next <= horizon; next += gap) at.push(Math.max(next, now));
  const empty = { ...rhythm.empty, turns: rhythm.empty.turns + at.length };
  return { rhythm: { ...rhythm, next, used: rhythm.used + at.length, empty }, at };
}

/** What becomes of a rate that was good for long enough. */
function advanced(rhythm: Rhythm, now: number): Rhythm {
  const { phase, rate, since, used, high } = rhythm;
  const elapsed = now - since;
  switch (phase) {
    case "measure":
      return elapsed < MEASURE_MS ? rhythm : measured(rhythm, now);
    case "blocked":
      if (used === 0 || now < rhythm.next) return rhythm;
      // As before, so that this window and the one before are used up at the same point.
      return changed(rhythm, rhythm.low === 0 ? "seek" : "narrow", high, now);
  }
  if (elapsed < { seek: STEP_MS, narrow: NARROW_MS, hold: HOLD_MS, probe: PROBE_MS }[phase])
    return rhythm;
  if (!tried(rate, used, elapsed)) return { ...rhythm, since: now, used: 0 };
  const good = { ...rhythm, low: rate };
  switch (phase) {
    case "seek":
      return changed(good, "seek", rate * 2, now);
    case "narrow":
      return narrowed(good, now);
    case "hold":
      return changed(good, "probe", rate * 1.03, now);
    case "probe":
      return changed(good, "probe", rate * 1.1, now);
  }
}

/** A rate that nobody uses up was not tried. */
const tried = (rate: number, used: number, ms: number, share = TRIED): boolean =>
  used >= (share * rate * ms) / 1000;

/** Another process heard of the refusals while the rhythm began: what passed there passed besides. */
export const joined = (rhythm: Rhythm, passed: number, now: number): Rhythm =>
  rhythm.phase === "seek" && now < rhythm.since
    ? { ...rhythm, rate: rhythm.rate + passed / 2 }
    : rhythm;

/** A request that was sent by this rhythm was refused. `silence`: ms for which nobody may ask now. */
export function refused(before: Rhythm, silence: number, now: number): Rhythm {
  const { phase, rate, since, empty } = before;
  const counted = { ...empty, refusals: empty.refusals + 1, silence: empty.silence + silence };
  const then = now + Math.max(silence, SETTLING_MS);
  const rhythm = { ...before, empty: counted };
  if (phase === "measure") return rhythm;
  if (phase === "blocked") return knockedInVain(rhythm, now);
  // After a silence nothing is on its way any more.
  if (now - since < (silence > REACTION_MS ? 0 : REACTION_MS))
    return silence === 0 ? rhythm : { ...rhythm, since: Math.max(since, then) };
  return spent({ ...rhythm, high: rate }, silence, now, then);
}

/** The registry has nothing left for a rate that had settled. */
function spent(before: Rhythm, silence: number, now: number, then: number): Rhythm {
  const { phase, rate, low, empty } = before;
  const next = Math.max(before.next, now + silence);
  const rhythm = { ...before, next, empty: { ...emptyAt(now), silence } };
  const passed = passedSince(before, now);
  if (phase === "probe") return changed(rhythm, "hold", low, then);
  if (empty.blocked && phase !== "hold") {
    // What passed is a window's worth, and this window is used up as well.
    const found = Math.max(SHARE * passed.rate, LEAST);
    return knockedInVain({ ...rhythm, rate: found, low: found, high: found }, now);
  }
  if (silence === 0 && phase === "seek") return changed(rhythm, "measure", rate, now);
  if (silence === 0 && phase === "hold")
    return empty.refusals > OFTEN * empty.turns
      ? changed(rhythm, "measure", rate, now)
      : changed(rhythm, "hold", rate * 0.99, then);
  if (passed.sure && phase !== "seek")
    return changed(rhythm, "hold", SHARE * Math.min(passed.rate, rate), then);
  if (passed.rate < rate / 10) return knockedInVain(rhythm, now);
  if (phase === "seek") return narrowed({ ...rhythm, low: low || rate / 2 }, then);
  return narrowed({ ...rhythm, low: Math.max(passed.rate, phase === "hold" ? rate / 2 : 0) }, then);
}

/**
 * What passed a second since there was nothing left, now that there is nothing left again. It is all that the registry lets through if
 * we asked for as much as that nearly all of the time.
 */
function passedSince({ rate, empty }: Rhythm, now: number) {
  const elapsed = now - empty.at;
  const asked = tried(rate, empty.turns, elapsed - empty.silence, 0.95);
  return {
    rate: ((empty.turns - empty.refusals) * 1000) / elapsed,
    sure: elapsed >= STRETCH_MS && empty.silence <= elapsed / 4 && asked,
  };
}

function measured(rhythm: Rhythm, now: number): Rhythm {
  const { rate, used, since } = rhythm;
  const passed = passedSince(rhythm, now).rate;
  const then = now + SETTLING_MS;
  if (passed < rate / 10) return knockedInVain(rhythm, now);
  // Where too few asked, more may have passed than did.
  return tried(rate, used, now - since)
    ? changed({ ...rhythm, empty: emptyAt(now) }, "hold", SHARE * passed, then)
    : narrowed({ ...rhythm, low: SHARE * passed }, then);
}

/** The longer nothing passes, the more rarely it is tried. */
function knockedInVain(rhythm: Rhythm, now: number): Rhythm {
  const pause = Math.min(Math.max((now - rhythm.empty.at) / 2, KNOCK_MS.first), KNOCK_MS.longest);
  const empty = { ...rhythm.empty, blocked: true };
  return { ...rhythm, phase: "blocked", used: 0, next: now + pause, empty };
}

/** Between what passed and what did not, until they are close. */
function narrowed(rhythm: Rhythm, since: number): Rhythm {
  const { low, high } = rhythm;
  return high <= low * 1.06
    ? changed(rhythm, "hold", Math.min(low, high * SHARE), since)
    : changed(rhythm, "narrow", low + (high - low) / 4, since);
}
