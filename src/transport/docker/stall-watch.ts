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
 * were too few: never sooner, and at the latest two of them after it began to drip. Where nothing of some bytes shows before all of
 * them have moved, it ends when even a line that moves just enough had moved them all.
 */
export const afterBytes = (
  { since, moved }: Watched,
  bytes: number,
  now: number,
  { stallBytes }: StallRule,
): Watched =>
  moved + bytes >= stallBytes ? { since: now, moved: 0 } : { since, moved: moved + bytes };

/** `unseen`: bytes that show together. */
export const msLeft = (
  { since, moved }: Watched,
  now: number,
  { stallMs, stallBytes }: StallRule,
  unseen = 0,
): number => since + stallMs * Math.max(1, Math.ceil((moved + unseen) / stallBytes)) - now;

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
  #unseen = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Of the clock, when the timer looks. */
  #looksAt = Infinity;
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

  /** So many bytes are to move, of which nothing shows before all have; 0: there is nothing that could. */
  waitsFor(bytes: number): void {
    this.#unseen = bytes;
    if (bytes === 0) return this.rest();
    this.start();
    const rule = this.#rule;
    if (rule === undefined || this.#ended) return;
    if (this.#clock() + this.#msLeft(rule) >= this.#looksAt) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#arm(rule);
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
      this.#looksAt = Infinity;
      if (this.#startedAt === undefined) return;
      if (this.#msLeft(rule) > 0) return this.#arm(rule);
      this.end();
      this.#stalled.abort(new StallError(this.#way));
    };
    if (this.#timer !== undefined) return;
    const left = Math.ceil(this.#msLeft(rule));
    this.#looksAt = this.#clock() + left;
    this.#timer = setTimeout(look, left);
  }

  #msLeft(rule: StallRule): number {
    return msLeft(this.#watched, this.#now(), rule, this.#unseen);
  }
}
