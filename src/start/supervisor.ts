// Child processes that are kept running: the API and the workers under npm start and the demo.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** All in ms. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** Who ran for so long is forgiven what came before. */
const STEADY_MS = 60_000;
/** Longer than a worker takes to drain and hand back its jobs. */
const STOP_LIMIT_MS = 45_000;

export interface SupervisorOptions {
  /** The children's whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Where their output goes: where ours does, or into a file that is open. */
  readonly output: "inherit" | number;
  /** A child ended that should not have; it is started again after `pauseMs`. */
  readonly died: (name: string, how: string, pauseMs: number) => void;
}

export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #stopping = new AbortController();
  readonly #children = new Set<ChildProcess>();
  readonly #loops: Promise<void>[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Runs `file` with this very Node, and again whenever it ends: after 1 s, then 2 s, up to 30 s. */
  run(name: string, file: string): void {
    this.#loops.push(this.#keepRunning(name, file));
  }

  /** Process ids of the children that run now. */
  get pids(): readonly number[] {
    return [...this.#children].flatMap(({ pid }) => pid ?? []);
  }

  /** SIGTERM to all, and waits for their end; who does not end is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    for (const child of this.#children) child.kill("SIGTERM");
    const limit = setTimeout(() => this.kill(), STOP_LIMIT_MS);
    await Promise.all(this.#loops);
    clearTimeout(limit);
  }

  /** Ends all at once, without a word. */
  kill(): void {
    this.#stopping.abort();
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #keepRunning(name: string, file: string): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const start = performance.now();
      const how = await this.#runOnce(file);
      if (signal.aborted) return;
      if (performance.now() - start > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
      this.#options.died(name, how, pauseMs);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** Resolves with how it ended. */
  async #runOnce(file: string): Promise<string> {
    const { env, output } = this.#options;
    const child = spawn(process.execPath, [file], { env, stdio: ["ignore", output, output] });
    this.#children.add(child);
    try {
      const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
      return signal === null ? `exit code ${code}` : signal;
    } catch (error) {
      return String(error);
    } finally {
      this.#children.delete(child);
    }
  }
}
