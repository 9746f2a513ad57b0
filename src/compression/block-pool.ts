// Threads that compress blocks, for all blobs of the process: one for each core, started when they are needed and ended when
// nothing is compressed any more.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

export interface BlockTask {
  /** Whose first `length` bytes are compressed. It is away until the answer brings it back. */
  readonly memory: ArrayBuffer;
  readonly length: number;
  readonly algorithm: "gzip" | "zstd";
  /** The library's own. */
  readonly level: number;
}

export interface BlockAnswer {
  readonly memory: ArrayBuffer;
  readonly output: Uint8Array<ArrayBuffer>;
}

interface Job {
  readonly task: BlockTask;
  readonly signal: AbortSignal;
  readonly resolve: (answer: BlockAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** One that is compressed and one that waits in the thread, so that it need not wait for our event loop. */
const JOBS_PER_THREAD = 2;
/** One for each core; a process of a big machine has others beside it, and each thread that writes zstd takes some 50 MB. */
const MOST_THREADS = Math.min(availableParallelism(), 16);
/** A thread is started in 50 ms and takes some 20 MB. */
const IDLE_MS = 10_000;

class Thread {
  readonly jobs: Job[] = [];
  readonly #worker = new Worker(new URL("./block-worker.ts", import.meta.url));

  /** `onFree` is called after each job; `onEnd` when the thread is no more, its jobs are rejected by then. */
  constructor(onFree: () => void, onEnd: () => void) {
    let failure: unknown = new Error("the compressing thread has ended");
    this.#worker.on("message", (answer: BlockAnswer) => {
      this.jobs.shift()?.resolve(answer);
      if (this.jobs.length === 0) this.#worker.unref();
      onFree();
    });
    this.#worker.on("error", (error) => (failure = error));
    this.#worker.on("exit", () => {
      for (const job of this.jobs.splice(0)) job.reject(failure);
      onEnd();
    });
  }

  give(job: Job): void {
    this.jobs.push(job);
    this.#worker.ref();
    this.#worker.postMessage(job.task, [job.task.memory]);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

class BlockPool {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  readonly #memory: ArrayBuffer[] = [];
  #idle: NodeJS.Timeout | undefined;

  /** Threads that there are now. */
  get size(): number {
    return this.#threads.size;
  }

  /** Memory for a block of so many bytes: what an earlier one had, if it can be had. */
  memory(bytes: number): ArrayBuffer {
    const at = this.#memory.findIndex(({ byteLength }) => byteLength === bytes);
    return this.#memory.splice(at, at < 0 ? 0 : 1)[0] ?? new ArrayBuffer(bytes);
  }

  /** Takes back what is not needed now. */
  keep(memory: ArrayBuffer): void {
    this.#memory.push(memory);
    if (this.#memory.length > MOST_THREADS) this.#memory.shift();
  }

  /** Compresses a block; one that still waits for its turn when `signal` aborts is not begun. */
  run(task: BlockTask, signal: AbortSignal): Promise<BlockAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<BlockAnswer>();
    clearTimeout(this.#idle);
    this.#waiting.push({ task, signal, resolve, reject });
    this.#distribute();
    return promise;
  }

  /** Ends all threads; jobs that they have are rejected. */
  async end(): Promise<void> {
    clearTimeout(this.#idle);
    this.#memory.length = 0;
    await Promise.all(Array.from(this.#threads, (thread) => thread.end()));
  }

  #distribute(): void {
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      if (job.signal.aborted) job.reject(job.signal.reason);
      else {
        const thread = this.#free();
        if (thread === undefined) return;
        thread.give(job);
      }
      this.#waiting.shift();
    }
    if ([...this.#threads].some(({ jobs }) => jobs.length > 0)) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.end(), IDLE_MS).unref();
  }

  /** An idle thread, else a new one, else the one with the least to do. */
  #free(): Thread | undefined {
    const [least] = [...this.#threads].toSorted((a, b) => a.jobs.length - b.jobs.length);
    if (least?.jobs.length === 0) return least;
    if (this.#threads.size < MOST_THREADS) {
      const thread: Thread = new Thread(
        () => this.#distribute(),
        () => {
          this.#threads.delete(thread);
          this.#distribute();
        },
      );
      this.#threads.add(thread);
      return thread;
    }
    return least !== undefined && least.jobs.length < JOBS_PER_THREAD ? least : undefined;
  }
}

/** The process's only one. */
export const blockPool = new BlockPool();

/** Blocks beyond the one that each blob always may have, for the whole process: the rest of what keeps all cores busy. */
let spare = MOST_THREADS + 1;

/** How many blocks a blob may hold at once: one, and as many of the process's spare ones as are free when it wants them. */
export class Allowance {
  #held = 0;

  /** False: not now. Never false for who holds none. */
  tryTake(): boolean {
    if (this.#held > 0 && spare === 0) return false;
    if (this.#held > 0) spare--;
    this.#held++;
    return true;
  }

  giveBack(): void {
    this.#held--;
    if (this.#held > 0) spare++;
  }

  /** Gives back all there is. */
  clear(): void {
    while (this.#held > 0) this.giveBack();
  }
}
