import type { Semaphore } from "./interfaces.ts";

/** How many tasks one permit lets in, one after the other, before others of the cluster have their turn. */
const PASSED = 16;

/** Never rejects; what came of it is told to whoever wanted it when the answer is called. */
type Task = (permitted: AbortSignal) => Promise<() => void>;

/**
 * Permits that small tasks of one copy pass on to one another: asking the cluster for each would cost as much as the task itself. No
 * more run at once than there are permits. All tasks come with one signal.
 */
export class PassedPermits implements Semaphore {
  readonly #permits: Semaphore;
  /** Those who are through, and have a permit to pass on. */
  readonly #offers: ((task: Task) => void)[] = [];

  constructor(permits: Semaphore) {
    this.#permits = permits;
  }

  run<T>(task: (permitted: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const own: Task = (permitted) =>
      task(permitted).then(
        (value) => () => resolve(value),
        (error: unknown) => () => reject(error),
      );
    const offer = this.#offers.pop();
    if (offer !== undefined) offer(own);
    else this.#permits.run((permitted) => this.#pass(own, permitted), signal).catch(reject);
    return promise;
  }

  async #pass(first: Task, permitted: AbortSignal): Promise<void> {
    let task: Task | undefined = first;
    for (let left = PASSED; task !== undefined; left--) {
      const tell = await task(permitted);
      // Offered before it is told: who hears of it may be the next.
      const next = left > 1 && !permitted.aborted ? this.#next() : undefined;
      tell();
      task = await next;
    }
  }

  /** Whoever asks in this turn of the event loop; nobody later, for a permit that is not used is another copy's. */
  #next(): Promise<Task | undefined> {
    const { promise, resolve } = Promise.withResolvers<Task | undefined>();
    const offer = (task: Task): void => {
      clearImmediate(end);
      resolve(task);
    };
    const end = setImmediate(() => {
      this.#offers.splice(this.#offers.indexOf(offer), 1);
      resolve(undefined);
    });
    this.#offers.push(offer);
    return promise;
  }
}
