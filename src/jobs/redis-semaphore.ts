// The semaphore that all workers of the cluster share. Redis holds who has a permit, who waits, and until when each of them is
// believed to be alive, all by Redis's own clock. Whoever asks, renews or releases also removes those whose lease lapsed and grants
// what is free, strictly in the order in which the waiters came: what is granted to another process rings its bell.
//
// A permit is a lease. Its process renews it every third of a lease; its holder's own monotonic clock, started before the last
// good renewal was sent, ends it a tenth early, so a holder has stopped before Redis gives its permit to somebody else. What is left:
// a process that was frozen beyond its lease aborts in the first turn of its event loop, not before it.

import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { Semaphore } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { available, evaluate, PREFIX } from "./redis.ts";
import { SEMAPHORE, type ClaimState } from "./semaphore-script.ts";

/** By default a dead process's permits are free again after so long. */
const LEASE_MS = 10_000;
/** A holder takes its permit for lost after this share of a lease. */
const TRUSTED = 0.9;
const RENEWALS_PER_LEASE = 3;
/** Messages on it are names of claims that were granted, with spaces between. */
const CHANNEL = `${PREFIX}semaphore`;

/** A semaphore that can be asked whether there is room now. */
export interface TrySemaphore extends Semaphore {
  /** Runs the task as `run` does if it need not wait for that; else answers undefined at once. */
  tryRun<T>(
    task: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    weight?: number,
  ): Promise<T | undefined>;
}

interface Scope {
  readonly name: string;
  readonly limit: number;
}

/** One task's wish for a permit, from when it asks until it is through. */
interface Claim extends Disposable {
  readonly scope: Scope;
  readonly id: string;
  /** "try": it is granted at once or never. */
  readonly verb: "ask" | "try";
  /** performance.now() before it asked, then before the last request was sent that found it in Redis: its lease began later. */
  since: number;
  held: boolean;
  /** Whether it is, once that is known. */
  readonly granted: PromiseWithResolvers<boolean>;
  readonly lost: AbortController;
  /** Runs while the permit is held. */
  watch?: NodeJS.Timeout;
}

export class RedisSemaphores implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #leaseMs: number;
  readonly #claims = new Map<string, Claim>();
  readonly #releasing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #renewing = false;

  /**
   * The connections stay their owner's. `redis`: where it is hasty, a task for which the store is away fails at once. `subscriber`:
   * patient, and used for nothing but subscriptions.
   */
  constructor(deps: { redis: Redis; subscriber: Redis; leaseMs?: number }) {
    this.#redis = deps.redis;
    this.#subscriber = deps.subscriber;
    this.#leaseMs = deps.leaseMs ?? LEASE_MS;
    this.#subscriber.on("message", this.#heard);
    this.#subscriber.on("ready", this.#listen);
    this.#listen();
  }

  /**
   * The semaphore of that name, for all who use the same Redis; `limit` is how much weight it lets in at once, and each call goes by
   * its own. A task that weighs more than that counts as weighing just that.
   */
  get(name: string, limit: number): TrySemaphore {
    const scope = { name, limit };
    return {
      run: async (task, signal, weight = 1) => {
        using claim = this.#claim(scope, "ask", weight, signal);
        await this.#turn(claim, signal);
        return await task(AbortSignal.any([signal, claim.lost.signal]));
      },
      tryRun: async (task, signal, weight = 1) => {
        using claim = this.#claim(scope, "try", weight, signal);
        if (!(await this.#turn(claim, signal))) return undefined;
        return await task(AbortSignal.any([signal, claim.lost.signal]));
      },
    };
  }

  /** Waits until what was released has reached Redis, but no longer than a lease: then it has lapsed anyway. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#subscriber.off("message", this.#heard);
    this.#subscriber.off("ready", this.#listen);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#leaseMs);
    await Promise.race([Promise.all(this.#releasing), late]);
    clearTimeout(timer);
  }

  #claim(scope: Scope, verb: Claim["verb"], weight: number, signal: AbortSignal): Claim {
    signal.throwIfAborted();
    const id = `${Math.min(Math.max(Math.ceil(weight), 1), scope.limit)}:${randomUUID()}`;
    const claim: Claim = {
      scope,
      id,
      verb,
      since: performance.now(),
      held: false,
      granted: Promise.withResolvers(),
      lost: new AbortController(),
      [Symbol.dispose]: () => this.#drop(claim),
    };
    this.#claims.set(id, claim);
    this.#timer ??= setInterval(() => void this.#renewAll(), this.#leaseMs / RENEWALS_PER_LEASE);
    return claim;
  }

  /** Tells whether the claim is granted, as soon as that is known; rejects when `signal` aborts, or if Redis refuses to be asked. */
  async #turn(claim: Claim, signal: AbortSignal): Promise<boolean> {
    const leave = () => claim.granted.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    this.#tell(claim.verb, claim.scope, [claim]).catch((error: unknown) =>
      claim.granted.reject(error),
    );
    try {
      return await claim.granted.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Nobody waits for the release: where Redis is away it would take long, and the lease lapses anyway. */
  #drop(claim: Claim): void {
    clearTimeout(claim.watch);
    this.#claims.delete(claim.id);
    if (this.#claims.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const release = this.#evaluate("release", claim.scope, [claim]).then(
      () => {},
      () => {},
    );
    this.#releasing.add(release);
    void release.then(() => this.#releasing.delete(release));
  }

  /** All claims of this process: one call a semaphore, sent together. Also tells of grants whose message was lost. */
  async #renewAll(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const byScope = Map.groupBy(this.#claims.values(), ({ scope }) => scope);
    // A failed renewal is the next one's business, and the watches' if none comes through.
    await Promise.allSettled(
      [...byScope].map(([scope, claims]) => this.#tell("renew", scope, claims)),
    );
    this.#renewing = false;
  }

  async #tell(
    verb: Claim["verb"] | "renew",
    scope: Scope,
    claims: readonly Claim[],
  ): Promise<void> {
    const sent = performance.now();
    const states = (await this.#evaluate(verb, scope, claims)) as ClaimState[];
    const again: Claim[] = [];
    for (const [index, claim] of claims.entries()) {
      if (!this.#claims.has(claim.id)) continue;
      const state = states[index];
      if (state !== "gone") claim.since = sent;
      // "waiting" of a claim that is held is old news: the grant came after this answer, and was heard before it.
      if (state === "held") this.#hold(claim);
      else if (state === "gone" && claim.held) this.#lose(claim);
      else if (state === "gone" && claim.verb === "try") claim.granted.resolve(false);
      else if (state === "gone") again.push(claim);
    }
    // Waiters that Redis took for dead, or that it forgot: they lost their place, not their wish.
    if (again.length > 0) await this.#tell("ask", scope, again);
  }

  #evaluate(
    verb: Claim["verb"] | "renew" | "release",
    { name, limit }: Scope,
    claims: readonly Claim[],
  ): Promise<unknown> {
    const on = ["permits", "waiters", "leases"].map((part) => `${PREFIX}semaphore:${name}:${part}`);
    return available(
      evaluate(this.#redis, SEMAPHORE, on, [
        verb,
        limit,
        this.#leaseMs,
        CHANNEL,
        ...claims.map(({ id }) => id),
      ]),
    );
  }

  #left(claim: Claim): number {
    return claim.since + this.#leaseMs * TRUSTED - performance.now();
  }

  #hold(claim: Claim): void {
    if (claim.held || this.#left(claim) <= 0) return;
    claim.held = true;
    this.#watch(claim);
    claim.granted.resolve(true);
  }

  #watch(claim: Claim): void {
    const left = this.#left(claim);
    if (left <= 0) this.#lose(claim);
    else claim.watch = setTimeout(() => this.#watch(claim), Math.ceil(left));
  }

  #lose(claim: Claim): void {
    claim.lost.abort(new CopyError("internal", "the permit was lost"));
  }

  /** A grant starts the task only while the permit can be trusted; else the next renewal says how things stand. */
  readonly #heard = (channel: string, message: string): void => {
    if (channel !== CHANNEL) return;
    for (const id of message.split(" ")) {
      const claim = this.#claims.get(id);
      if (claim !== undefined) this.#hold(claim);
    }
  };

  /** Again for each new connection; what was granted while there was none was not heard. */
  readonly #listen = (): void => {
    this.#subscriber.subscribe(CHANNEL).then(
      () => this.#renewAll(),
      () => {},
    );
  };
}
