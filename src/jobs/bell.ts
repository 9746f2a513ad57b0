// A message on one channel says which stream has something new. It is only a bell: messages get lost with their connection, so
// whoever waits for it looks again after a while all the same.

import type { Redis } from "ioredis";
import { keys } from "./redis.ts";

/** The name that rings when anything about the job changed. */
export const jobBell = (id: string): string => `job:${id}`;
/** The name that rings when the tenant's stream grew. */
export const tenantBell = (tenant: string): string => `tenant:${tenant}`;

/** One subscription for all who wait in this process. The connection stays its owner's; others may subscribe to more on it. */
export class Bell implements AsyncDisposable {
  readonly #subscriber: Redis;
  readonly #waiting = new Map<string, Set<() => void>>();

  /** `subscriber`: a patient connection, used for nothing but subscriptions. */
  constructor(subscriber: Redis) {
    this.#subscriber = subscriber;
    subscriber.on("message", this.#heard);
    subscriber.on("ready", this.#listen);
    this.#listen();
  }

  /** Resolves when `name` rings, after `timeoutMs`, or when `signal` aborts. */
  async wait(name: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const others = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, others.add(resolve));
    const timer = setTimeout(resolve, timeoutMs);
    const stop = () => resolve();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      others.delete(resolve);
      if (others.size === 0 && this.#waiting.get(name) === others) this.#waiting.delete(name);
    }
  }

  /** Everyone who waits is let go. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriber.off("message", this.#heard);
    this.#subscriber.off("ready", this.#listen);
    this.#ringAll();
  }

  readonly #heard = (channel: string, name: string): void => {
    if (channel !== keys.bell) return;
    for (const wake of this.#waiting.get(name) ?? []) wake();
  };

  /** Again for each new connection; and what rang while there was none was not heard, so everyone looks. */
  readonly #listen = (): void => {
    this.#subscriber.subscribe(keys.bell).then(
      () => this.#ringAll(),
      () => {},
    );
  };

  #ringAll(): void {
    for (const waiters of this.#waiting.values()) for (const wake of waiters) wake();
  }
}
