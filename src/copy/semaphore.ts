import type { Semaphore } from "./interfaces.ts";

interface Waiter {
  readonly weight: number;
  readonly go: () => void;
}

/** The semaphore of one process: first come, first served; a heavy task is not passed by light ones behind it. */
export class LocalSemaphore implements Semaphore {
  readonly #limit: number;
  #used = 0;
  #waiting: Waiter[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(
    task: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    weight = 1,
  ): Promise<T> {
    const taken = Math.min(weight, this.#limit);
    await this.#acquire(taken, signal);
    try {
      return await task(signal);
    } finally {
      this.#used -= taken;
      this.#admit();
    }
  }

  #acquire(weight: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      weight,
      go: () => {
        signal.removeEventListener("abort", leave);
        resolve();
      },
    };
    const leave = () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      reject(signal.reason);
      this.#admit();
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(waiter);
    this.#admit();
    return promise;
  }

  #admit(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#used + next.weight <= this.#limit;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#used += next.weight;
      next.go();
    }
  }
}
