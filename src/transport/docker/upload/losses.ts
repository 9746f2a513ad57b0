// Where uploads break: their last bytes are worth the memory there, and nowhere else.

import { Recent } from "../../../recent.ts";

/** A registry at which nothing has broken for so many ms is one like any other again. */
const MATTERS_MS = 60 * 60 * 1000;
/** Clients choose registries. */
const REGISTRIES = 1_000;

/** Registries at which an upload has lately lost bytes that it could not go on without. */
export class Losses {
  readonly #at = new Recent<number>(REGISTRIES);
  readonly #clock: () => number;

  /** `clock`: ms, steady. */
  constructor(clock: () => number = performance.now.bind(performance)) {
    this.#clock = clock;
  }

  add(registry: string): void {
    this.#at.set(registry, this.#clock());
  }

  has(registry: string): boolean {
    const at = this.#at.get(registry);
    return at !== undefined && this.#clock() - at < MATTERS_MS;
  }
}
