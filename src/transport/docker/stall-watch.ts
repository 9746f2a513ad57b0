// A body that is not taken. The time counts only while there is a chunk to take: while a sender waits for its source, that is the source's business.

/** The other side took no more bytes of a request's body for too long. */
export class StallError extends Error {
  override readonly name = "StallError";
  readonly code = "BODY_NOT_TAKEN";
}

export class StallWatch {
  readonly #stalled = new AbortController();
  readonly #afterMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Undefined: it never stalls. */
  constructor(afterMs: number | undefined) {
    this.#afterMs = afterMs;
  }

  /** Aborts with a StallError. */
  get signal(): AbortSignal {
    return this.#stalled.signal;
  }

  /** A chunk is there to be taken; the time begins anew. */
  start(): void {
    this.rest();
    if (this.#afterMs === undefined) return;
    const stalled = () => this.#stalled.abort(new StallError("the body is taken no more"));
    this.#timer = setTimeout(stalled, this.#afterMs);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }
}
