// What is known of a registry's limits for one credential, and what follows from it. Pure; times are ms of the store's clock.

import type { Limits, Quota } from "./limits.ts";
import { announced, beginning, joined, refused, turns, type Rhythm } from "./rhythm.ts";

export interface PaceState {
  /** Nobody asks before. */
  readonly until: number;
  /** Absent: the registry has not refused for want of patience. */
  readonly rhythm?: Rhythm;
  readonly quota?: Quota & { readonly at: number };
}

/** Nobody waits for longer at a time, whatever a registry asks for; then it is asked again. */
const LONGEST_WISH_MS = 30 * 60_000;
/** What nobody has used for so long is forgotten. */
const FORGET_MS = 5 * 60_000;
/** Of a quota, so much stays untouched: for those who pull from the same address or account by other means. */
const RESERVE = 0.1;
/** How often a quota that is used up is looked at again: on average one pull is free again after window/limit. */
const RECHECK_MS = { least: 60_000, most: 15 * 60_000 } as const;

/** A request was refused: 429 says that there are too many, 503 only that now is not the time. `passed`: a second, before this process knew of it. */
export function afterRefusal(
  state: PaceState | undefined,
  status: 429 | 503,
  { waitMs, perSecond, quota }: Limits,
  passed: number,
  now: number,
): PaceState {
  const silence = Math.min(waitMs ?? 0, LONGEST_WISH_MS);
  const until = Math.max(state?.until ?? 0, now + silence);
  const counted = quota === undefined ? state?.quota : { ...quota, at: now };
  // Where pulls are counted and used up, a slower rhythm would not help.
  const ofRhythm = status === 429 && quota?.remaining !== 0;
  const rhythm = ofRhythm ? slower(state?.rhythm, silence, perSecond, passed, now) : state?.rhythm;
  return {
    until,
    ...(rhythm !== undefined && { rhythm }),
    ...(counted !== undefined && { quota: counted }),
  };
}

function slower(
  rhythm: Rhythm | undefined,
  silence: number,
  perSecond: number | undefined,
  passed: number,
  now: number,
): Rhythm {
  if (rhythm !== undefined) return refused(joined(rhythm, passed, now), silence, now);
  return perSecond === undefined ? beginning(passed, now) : announced(perSecond, now);
}

/** What an answer that is no refusal tells besides; undefined: nothing new. */
export function afterWord(
  state: PaceState | undefined,
  { perSecond, quota }: Limits,
  now: number,
): PaceState | undefined {
  const known = state?.quota;
  const isNews =
    quota !== undefined &&
    (quota.remaining !== known?.remaining || now > known.at + RECHECK_MS.least);
  const isFirst = perSecond !== undefined && state?.rhythm === undefined;
  if (!isNews && !isFirst) return undefined;
  return {
    until: 0,
    ...state,
    ...(isFirst && { rhythm: announced(perSecond, now) }),
    ...(isNews && { quota: { ...quota, at: now } }),
  };
}

/** Turns: in how many ms each is, and in how many it makes sense to ask again. `silent`: because the registry has asked to be left alone. */
export interface Given {
  readonly delays: readonly number[];
  readonly nextMs: number;
  readonly silent: boolean;
}

/** Turns for those who wait, within the next `horizonMs`; "free": nobody needs any. */
export function turnsAt(
  state: PaceState | undefined,
  wanted: number,
  now: number,
  horizonMs: number,
): { readonly state?: PaceState; readonly result: Given | "free" } {
  if (state !== undefined && state.until > now)
    return { result: { delays: [], nextMs: state.until - now, silent: true } };
  if (state?.rhythm === undefined) return { result: "free" };
  const { rhythm, at } = turns(state.rhythm, wanted, now, now + horizonMs);
  // Half a horizon before the last of them: who asks later would let turns go by.
  const nextMs = Math.max(rhythm.next - now - horizonMs / 2, 1);
  const given = { delays: at.map((time) => time - now), nextMs, silent: false };
  return { state: { ...state, rhythm }, result: given };
}

/** Whether a pull may be made: yes; after so many ms; or once the count has been looked at again, by a request that does not count. */
export type PullVerdict = "go" | "ask" | { readonly retryAfterMs: number };

export function pullsAt(state: PaceState | undefined, now: number): PullVerdict {
  const quota = state?.quota;
  if (quota === undefined || quota.remaining > Math.ceil(quota.limit * RESERVE)) return "go";
  const age = now - quota.at;
  if (age >= quota.windowMs) return "go";
  const recheck = quota.windowMs / quota.limit;
  const wait = Math.min(Math.max(recheck, RECHECK_MS.least), RECHECK_MS.most) - age;
  return wait <= 0 ? "ask" : { retryAfterMs: wait };
}

/** ms for which a state is worth keeping. */
export const keptMs = ({ until, quota }: PaceState, now: number): number =>
  Math.ceil(Math.max(Math.max(until - now, 0) + FORGET_MS, quota?.windowMs ?? 0));
