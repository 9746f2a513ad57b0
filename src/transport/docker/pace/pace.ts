// When anything may be sent at all: one budget for a registry's host and a credential, shared by all who share the PaceStore. While nothing is
// known of a limit nobody waits; the store is looked at once a second, beside the requests. Once the registry has refused, every request
// takes its turn. The rule is pure (rhythm.ts, pace-state.ts); here it is kept in time.

import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../../../errors.ts";
import type { Limits } from "./limits.ts";
import {
  afterRefusal,
  afterWord,
  pullsAt,
  turnsAt,
  type PaceState,
  type PullVerdict,
} from "./pace-state.ts";
import { Recent } from "../../../recent.ts";

/** Where the states are. */
export interface PaceStore {
  /**
   * Reads the state of a key, lets `decide` say what it becomes, and writes that, if nobody wrote meanwhile; else again, so `decide` may
   * be called many times. `now` is the store's clock, in ms. Rejects where the store is away.
   */
  change<T>(
    key: string,
    decide: (state: PaceState | undefined, now: number) => Decision<T>,
  ): Promise<T>;
}

export interface Decision<T> {
  /** Undefined: it stays as it is. */
  readonly state?: PaceState;
  readonly result: T;
}

/** What a request does at its turn; or for how many ms the registry is to be left alone: longer than anybody should wait for in place. */
export type Turn = "go" | "ask" | { readonly retryAfterMs: number };

interface Waiter {
  readonly since: number;
  readonly settle: (turn: Turn) => void;
}

/** What this process knows of a key, and who waits in it. */
interface Line {
  readonly waiting: Waiter[];
  serving: boolean;
  /** performance.now() when the store was last asked. */
  lookedAt: number;
  looking: Promise<void> | undefined;
  /** What it said. */
  state: PaceState | undefined;
  /** The store's clock less ours. */
  clock: number;
  /** Answers that were no refusals, in this second and in the one before. */
  passed: { second: number; now: number; before: number };
}

const LOOK_MS = 1000;
/** A wait so long is sat out; a longer one is somebody else's: the queue's, or the client's. */
export const PATIENCE_MS = 2000;
/** How long a request may wait for its turn, where turns are given but many want them. */
const TURN_PATIENCE_MS = 10_000;
/** Turns are taken so far ahead; others may have heard by then that there are to be none. */
const HORIZON_MS = 120;
/** Who waits for something at the same time as others comes a little later, at random. */
const SPREAD_MS = 20;
const KEYS = 1000;

export class Pace {
  readonly #store: PaceStore;
  readonly #lines = new Recent<Line>(KEYS);

  constructor(store: PaceStore) {
    this.#store = store;
  }

  /**
   * Waits until a request with this key may be sent. `pull`: one that counts as a pull where pulls are counted; "ask" tells that the count must be
   * looked up first, by a request that does not count. Where the store is away nobody waits.
   */
  async turn(key: string, pull: boolean, signal: AbortSignal): Promise<Turn> {
    const line = this.#line(key);
    if (performance.now() - line.lookedAt >= LOOK_MS && line.waiting.length === 0)
      await this.#looked(key, line);
    if (pull) {
      const verdict = this.#pull(line);
      if (verdict !== "go") return verdict;
    }
    if (isFree(line)) return "go";
    return this.#wait(key, line, signal);
  }

  /** Takes in what an answer says. `refused`: with 429, or with 503 and a wish to be left alone. Never rejects. */
  async heard(key: string, refused: 429 | 503 | undefined, limits: Limits): Promise<void> {
    const line = this.#line(key);
    const counted = this.#count(line, refused === undefined);
    const passed = line.state?.rhythm === undefined ? counted : 0;
    const now = performance.now() + line.clock;
    const tellsNothing = refused === undefined && afterWord(line.state, limits, now) === undefined;
    if (tellsNothing || (refused === 503 && limits.waitMs === undefined)) return;
    await this.#change(key, line, (known, at) => {
      const state =
        refused === undefined
          ? afterWord(known, limits, at)
          : afterRefusal(known, refused, limits, passed, at);
      return { ...(state !== undefined && { state }), result: undefined };
    });
  }

  #pull(line: Line): PullVerdict {
    return pullsAt(line.state, performance.now() + line.clock);
  }

  #line(key: string): Line {
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line: Line = {
      waiting: [],
      serving: false,
      lookedAt: -Infinity,
      looking: undefined,
      state: undefined,
      clock: 0,
      passed: { second: 0, now: 0, before: 0 },
    };
    this.#lines.set(key, line);
    return line;
  }

  /** One look for all who want one at the same time. */
  #looked(key: string, line: Line): Promise<void> {
    line.looking ??= this.#change(key, line, () => ({ result: undefined })).finally(() => {
      line.looking = undefined;
    });
    return line.looking;
  }

  /** The most that passed in a second, of this one and the one before. */
  #count({ passed }: Line, counts: boolean): number {
    const second = Math.floor(performance.now() / 1000);
    if (second !== passed.second) {
      passed.before = second === passed.second + 1 ? passed.now : 0;
      passed.second = second;
      passed.now = 0;
    }
    if (counts) passed.now++;
    return Math.max(passed.now, passed.before);
  }

  /** Undefined where the store is away: then nothing is known for a while. */
  async #change<T>(
    key: string,
    line: Line,
    decide: (state: PaceState | undefined, now: number) => Decision<T>,
  ): Promise<T | undefined> {
    try {
      return await this.#store.change(key, (state, now) => {
        const decision = decide(state, now);
        line.state = decision.state ?? state;
        line.clock = now - performance.now();
        return decision;
      });
    } catch {
      line.state = undefined;
      return undefined;
    } finally {
      line.lookedAt = performance.now();
    }
  }

  async #wait(key: string, line: Line, signal: AbortSignal): Promise<Turn> {
    const { promise, resolve: settle } = Promise.withResolvers<Turn>();
    const waiter = { since: performance.now(), settle };
    line.waiting.push(waiter);
    if (!line.serving) void this.#serve(key, line);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const leave = () => {
      const place = line.waiting.indexOf(waiter);
      if (place >= 0) line.waiting.splice(place, 1);
      reject(reasonOf(signal.reason, signal));
    };
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Gives turns to those who wait, in their order, for as long as there are any. */
  async #serve(key: string, line: Line): Promise<void> {
    line.serving = true;
    while (line.waiting.length > 0) {
      const given = await this.#change(key, line, (state, now) =>
        turnsAt(state, line.waiting.length, now, HORIZON_MS),
      );
      if (given === undefined || given === "free") {
        this.#settle(line, Infinity, "go");
        break;
      }
      for (const delay of given.delays) {
        const [waiter] = line.waiting.splice(0, 1);
        if (waiter !== undefined) setTimeout(waiter.settle, delay, "go");
      }
      const limit = given.silent ? PATIENCE_MS : TURN_PATIENCE_MS;
      if (given.nextMs > limit) this.#settle(line, Infinity, { retryAfterMs: given.nextMs });
      const late = performance.now() - TURN_PATIENCE_MS;
      const tired = line.waiting.filter(({ since }) => since < late).length;
      this.#settle(line, tired, { retryAfterMs: TURN_PATIENCE_MS });
      if (line.waiting.length > 0) await sleep(given.nextMs + Math.random() * SPREAD_MS);
    }
    line.serving = false;
  }

  #settle({ waiting }: Line, count: number, turn: Turn): void {
    for (const { settle } of waiting.splice(0, count)) settle(turn);
  }
}

const isFree = ({ state, waiting, clock }: Line): boolean =>
  waiting.length === 0 &&
  (state === undefined || (state.rhythm === undefined && state.until <= performance.now() + clock));

/** For one process: tests, and programs without Redis. */
export class LocalPaceStore implements PaceStore {
  readonly #states = new Recent<PaceState>(KEYS);

  async change<T>(
    key: string,
    decide: (state: PaceState | undefined, now: number) => Decision<T>,
  ): Promise<T> {
    const { state, result } = decide(this.#states.get(key), performance.now());
    if (state !== undefined) this.#states.set(key, state);
    return result;
  }
}
