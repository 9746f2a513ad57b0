// Several jobs that want one blob in one repository at the same time: one moves it, the others wait until it has ended, and then find
// what it left. It is made of the cluster's semaphore: who leads weighs all there is, who waits weighs one, so that all who wait are
// let go at once. It saves work and guards nothing: a leader that Redis took for dead goes on, and its blob may be moved twice.

import type { RedisSemaphores, TrySemaphore } from "./redis-semaphore.ts";

/** More than can wait. */
const ALL = 1_000_000;

/** Of several tasks of one name, in the whole cluster, one runs at a time. */
export class SingleFlight {
  readonly #semaphore: TrySemaphore;

  constructor(semaphores: RedisSemaphores, name: string) {
    this.#semaphore = semaphores.get(`flight:${name}`, ALL);
  }

  /** Runs the task if none runs now; else answers undefined at once. Throws what the task throws. */
  lead<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    return this.#semaphore.tryRun(task, signal, ALL);
  }

  /** Resolves when the task that runs has ended, with or without success; at once if none runs. Whoever waits must hold no permit. */
  async ended(signal: AbortSignal): Promise<void> {
    await this.#semaphore.run(async () => {}, signal);
  }
}
