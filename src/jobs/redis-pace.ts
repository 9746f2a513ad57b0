// What the cluster knows of registries' limits. Redis keeps a state for each host and credential, and its clock counts; what a state
// becomes is decided by whoever changes it (transport/docker/pace-state.ts), and written if nobody wrote meanwhile.

import type { Redis } from "ioredis";
import { keptMs, type PaceState } from "../transport/docker/pace/pace-state.ts";
import type { Decision, PaceStore } from "../transport/docker/pace/pace.ts";
import { evaluate, keys, script } from "./redis.ts";
import type { Sealer } from "./secrets.ts";

/**
 * KEYS state. ARGV expected, next, ms. Answers "" if the state was as expected and is now the next one, for so long; else the time in ms
 * and the state as it is, and nothing was written. With no next one it only reads.
 */
const SWAP = script(`local held = redis.call('GET', KEYS[1]) or ''
if ARGV[2] ~= '' and held == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ''
end
local time = redis.call('TIME')
return { string.format('%.3f', time[1] * 1000 + time[2] / 1000), held }`);

/** Before each state: its shape. A worker of another version may have written another one; it is read as if nothing were known. */
const SHAPE = "2 ";

const stateOf = (held: string): PaceState | undefined =>
  held.startsWith(SHAPE) ? (JSON.parse(held.slice(SHAPE.length)) as PaceState) : undefined;

export class RedisPaceStore implements PaceStore {
  readonly #redis: Redis;
  readonly #sealer: Sealer;

  /** `redis`: hasty, since requests wait for it. */
  constructor(redis: Redis, sealer: Sealer) {
    this.#redis = redis;
    this.#sealer = sealer;
  }

  async change<T>(
    key: string,
    decide: (state: PaceState | undefined, now: number) => Decision<T>,
  ): Promise<T> {
    // A plain hash of a credential would let whoever reads Redis try passwords.
    const on = [keys.pace(this.#sealer.fingerprint(`pace ${key}`))];
    let answer = await evaluate(this.#redis, SWAP, on, ["", "", 0]);
    for (;;) {
      const [time, held] = answer as [string, string];
      const now = Number(time);
      const { state, result } = decide(stateOf(held), now);
      if (state === undefined) return result;
      const kept = keptMs(state, now);
      answer = await evaluate(this.#redis, SWAP, on, [held, SHAPE + JSON.stringify(state), kept]);
      if (answer === "") return result;
    }
  }
}
