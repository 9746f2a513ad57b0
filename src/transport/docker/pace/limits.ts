// What an answer says of how much more a registry takes: `Retry-After` and its relatives, Docker Hub's count of pulls, and the words that
// GHCR writes into the body. Only what has one meaning is read.

import { headerOf, type Answer, type Reply } from "../answer.ts";

export interface Limits {
  /** ms for which nobody may ask; undefined: the registry does not say. */
  readonly waitMs?: number;
  /** Requests a second that it lets through. */
  readonly perSecond?: number;
  readonly quota?: Quota;
}

/** So many pulls in a window of hours: nothing that a slower rhythm could help. */
export interface Quota {
  readonly limit: number;
  readonly remaining: number;
  readonly windowMs: number;
}

/** A longer window counts pulls, a shorter one requests. */
const RHYTHM_WINDOW_S = 60;
/** Some send the time at which the wait ends, in seconds since 1970, instead of how long it is. */
const EPOCH_S = 1e9;

type Headers = Pick<Reply, "headers">;

/** The body is looked at where there is one: only of a refusal it is read. */
export function limitsOf(answer: Pick<Answer, "status" | "headers"> | Reply, now: number): Limits {
  const refuses = answer.status === 429 || answer.status === 503;
  const body = answer.status === 429 && "body" in answer ? answer.body.toString("utf8") : "";
  const waitMs = refuses
    ? (retryAfterOf(answer, now) ?? resetOf(answer, now) ?? hintedWait(body))
    : undefined;
  const counted = countedOf(answer);
  const perSecond = hintedRate(body) ?? rateOf(counted);
  const quota = quotaOf(counted);
  return {
    ...(waitMs !== undefined && { waitMs }),
    ...(perSecond !== undefined && { perSecond }),
    ...(quota !== undefined && { quota }),
  };
}

/** `Retry-After` in ms, of either form; undefined where there is none. */
export function retryAfterOf(answer: Headers, now = Date.now()): number | undefined {
  const value = headerOf(answer.headers, "retry-after");
  if (value === undefined || value === "") return undefined;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(value) - now : fromNow(seconds, now);
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

const fromNow = (seconds: number, now: number): number =>
  seconds >= EPOCH_S ? seconds * 1000 - now : seconds * 1000;

/** Of a refusal that says that nothing remains: when something will. */
function resetOf(answer: Headers, now: number): number | undefined {
  for (const prefix of ["ratelimit", "x-ratelimit"]) {
    const [remaining, reset] = ["remaining", "reset"].map((name) =>
      firstNumber(headerOf(answer.headers, `${prefix}-${name}`)),
    );
    if (remaining === 0 && reset !== undefined) return Math.max(0, fromNow(reset, now));
  }
  return undefined;
}

interface Counted {
  readonly limit: number;
  readonly remaining: number;
  readonly windowS: number;
}

/** `ratelimit-limit: 100;w=21600` with `ratelimit-remaining: 76;w=21600`: without the window the numbers mean nothing. */
function countedOf({ headers }: Headers): Counted | undefined {
  const given = headerOf(headers, "ratelimit-limit") ?? "";
  const [, limit, windowS] = /^(\d{1,9}) ?; ?w=(\d{1,9})$/.exec(given) ?? [];
  const remaining = firstNumber(headerOf(headers, "ratelimit-remaining"));
  if (limit === undefined || remaining === undefined || Number(limit) * Number(windowS) === 0)
    return undefined;
  return { limit: Number(limit), remaining, windowS: Number(windowS) };
}

const rateOf = (counted: Counted | undefined): number | undefined =>
  counted === undefined || counted.windowS > RHYTHM_WINDOW_S
    ? undefined
    : counted.limit / counted.windowS;

function quotaOf(counted: Counted | undefined): Quota | undefined {
  if (counted === undefined || counted.windowS <= RHYTHM_WINDOW_S) return undefined;
  const { limit, remaining, windowS } = counted;
  return { limit, remaining, windowMs: windowS * 1000 };
}

function firstNumber(value: string | undefined): number | undefined {
  const [digits] = /^\d{1,12}/.exec(value ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** GHCR: `retry-after: 1m2.5s, allowed: 44000/minute`, the wait as Go writes durations. */
const WAIT = /\bretry-after: ((?:\d+(?:\.\d+)?(?:ns|µs|\\u00b5s|us|ms|h|m|s))+)/i;
const PARTS = /(\d+(?:\.\d+)?)(ns|µs|\\u00b5s|us|ms|h|m|s)/gi;
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function hintedWait(body: string): number | undefined {
  const [, duration] = WAIT.exec(body) ?? [];
  if (duration === undefined) return undefined;
  const parts = duration.matchAll(PARTS);
  const sum = Array.from(parts, ([, n, unit]) => Number(n) * (MS[unit ?? ""] ?? 0.001));
  return Math.ceil(sum.reduce((a, b) => a + b, 0));
}

const PERIOD_S = { second: 1, minute: 60, hour: 3600 } as const;

function hintedRate(body: string): number | undefined {
  const [, count, period] = /\ballowed: (\d{1,9})\/(second|minute|hour)\b/.exec(body) ?? [];
  const rate = Number(count) / PERIOD_S[period as keyof typeof PERIOD_S];
  return rate > 0 ? rate : undefined;
}
