// Stalls, by what moves rather than by how long it takes: whoever sends a byte a second is found out, and a slow line is not.

/** A body that does not move any more, on its way out (`sending`) or in. */
export class StallError extends Error {
  override readonly name = "StallError";
  readonly code = "BODY_STALLED";
  readonly way: "sending" | "receiving";

  constructor(way: "sending" | "receiving") {
    super(`the body stands still (${way})`);
    this.way = way;
  }
}

/** A body of which fewer than `stallBytes` move in `stallMs` stands still. */
export interface StallRule {
  readonly stallMs: number;
  readonly stallBytes: number;
}

/** Times are in ms, and count only while the other side could move something. */
interface Watched {
  /** When `moved` began to be counted. */
  readonly since: number;
  readonly moved: number;
}

/**
 * The rule. Counting begins anew whenever there were enough bytes, so a transfer ends after exactly one `stallMs` in which there
 * were too few: never sooner, and at the latest two of them after it began to drip.
 */
export const afterBytes = (
  { since, moved }: Watched,
  bytes: number,
  now: number,
  { stallBytes }: StallRule,
): Watched =>
  moved + bytes >= stallBytes ? { since: now, moved: 0 } : { since, moved: moved + bytes };

export const msLeft = ({ since }: Watched, now: number, { stallMs }: StallRule): number =>
  since + stallMs - now;

/** Watches one body, from `start` on. */
export class StallWatch {
  readonly #rule: StallRule | undefined;
  readonly #way: StallError["way"];
  readonly #clock: () => number;
  readonly #stalled = new AbortController();
  #watched: Watched = { since: 0, moved: 0 };
  /** Of the clock, while the time counts. */
  #startedAt: number | undefined;
  #ranFor = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** No rule: it never stalls. `clock`: ms, steady. */
  constructor(
    rule: StallRule | undefined,
    way: StallError["way"],
    clock: () => number = performance.now.bind(performance),
  ) {
    this.#rule = rule;
    this.#way = way;
    this.#clock = clock;
  }

  /** Aborts with a StallError. */
  get signal(): AbortSignal {
    return this.#stalled.signal;
  }

  /** From now on the other side is expected to move bytes. */
  start(): void {
    if (this.#rule === undefined || this.#ended || this.#startedAt !== undefined) return;
    this.#startedAt = this.#clock();
    this.#arm(this.#rule);
  }

  /** From now on it is we who hold the body back: the time does not count. */
  rest(): void {
    this.#ranFor = this.#now();
    this.#startedAt = undefined;
  }

  moved(bytes: number): void {
    if (this.#rule !== undefined)
      this.#watched = afterBytes(this.#watched, bytes, this.#now(), this.#rule);
  }

  /** The body has ended, one way or the other. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #now(): number {
    return this.#ranFor + (this.#startedAt === undefined ? 0 : this.#clock() - this.#startedAt);
  }

  /** One timer for all bytes: it looks when the time would be up, and once more if it is not. */
  #arm(rule: StallRule): void {
    const look = () => {
      this.#timer = undefined;
      if (this.#startedAt === undefined) return;
      if (msLeft(this.#watched, this.#now(), rule) > 0) return this.#arm(rule);
      this.end();
      this.#stalled.abort(new StallError(this.#way));
    };
    this.#timer ??= setTimeout(look, Math.ceil(msLeft(this.#watched, this.#now(), rule)));
  }
}
