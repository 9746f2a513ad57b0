// A blob on its way in. Where it breaks off it goes on, from the byte at which its sink stands: each byte is handed over once.

import type { Bytes, Sink, Span } from "../../bytes.ts";
import { CopyError } from "../../errors.ts";
import { IDENTITY, type Answer } from "./answer.ts";
import { isEncoded, judgePart, strongEtag } from "./blob-part.ts";
import { networkFailure, type Blame } from "./failures.ts";
import { afterBreak, mayPass, nextTry } from "./next-try.ts";
import { pause } from "./pause.ts";
import type { Timing } from "./registries.ts";

/** While more bytes than this are still lent of what came before a break, nothing more is asked for. */
const LENT_LIMIT = 1024 * 1024;

/** Where a blob is. */
export interface BlobPlace {
  /**
   * GET at the blob's own address: where that sends on to a store, its address is asked for anew each time, since those lapse.
   * Resolves with an answer whose status is 200 or 206; throws what was answered instead. `sends`: how often it may be sent.
   */
  readonly open: (
    headers: Readonly<Record<string, string>>,
    sends: "once" | "again",
    signal: AbortSignal,
  ) => Promise<Answer>;
  /** As the blob's descriptor says; a blob without one is not gone on with. */
  readonly size: number | undefined;
  readonly blame: Blame;
  readonly timing: Timing;
}

/**
 * The blob's bytes, or those of a span. Breaks, early ends, stalls and refusals that pass are gone on after as long as it moves
 * (next-try.ts); where the registry has no such part (416), with all of it once more. Throws the last of them where it does not move any
 * more, and `registry_unavailable` where what comes is not what was asked for. That the bytes are the right ones is for whoever checks the
 * digest.
 */
export class BlobReader implements Bytes {
  readonly #place: BlobPlace;
  /** Of the next byte to hand over. */
  #at: number;
  readonly #to: number | undefined;
  #isOpened = false;
  #canGoOn = true;
  #takesRanges = true;
  #etag: string | undefined;
  #lent = 0;
  #onReleased: () => void = () => {};

  /** Without `span`: all of it. */
  constructor(place: BlobPlace, span?: Span) {
    this.#place = place;
    this.#at = span?.from ?? 0;
    this.#to = span?.to;
  }

  async pour(sink: Sink, signal: AbortSignal): Promise<void> {
    for (let inVain = 0; ;) {
      const before = this.#at;
      const broken = await this.#try(sink, signal);
      if (broken === undefined) return;
      inVain = afterBreak(inVain, this.#at - before);
      const { retryAfterMs } = broken.context;
      const delay = nextTry({ inVain, retryAfterMs }, this.#place.timing.breakMs);
      if (delay === undefined) throw broken;
      await pause(delay, signal);
      await this.#released(signal);
    }
  }

  /** Reads on until the end, or a break after which it may go on: that is returned. Throws any other failure. */
  async #try(sink: Sink, signal: AbortSignal): Promise<CopyError | undefined> {
    const at = this.#at;
    // go-containerregistry's own registry takes no range without an end.
    const end = this.#to ?? this.#place.size;
    const isPart = this.#takesRanges && (at > 0 || this.#to !== undefined);
    const range = isPart && {
      range: `bytes=${at}-${end === undefined ? "" : end - 1}`,
      ...(this.#etag !== undefined && { "if-range": this.#etag }),
    };
    const isFirst = !this.#isOpened;
    try {
      const sends = isFirst ? "again" : "once";
      const answer = await this.#place.open({ ...IDENTITY, ...range }, sends, signal);
      this.#isOpened = true;
      const skip = await this.#accept(answer, signal);
      return await this.#take(answer, skip, sink, signal);
    } catch (error) {
      if (isPart && isOutOfRange(error) && !signal.aborted) {
        this.#takesRanges = false;
        return error;
      }
      // The first request is sent again by retry.ts, like any other.
      if (isFirst && !this.#isOpened) throw error;
      // All of it came, only not the message's own end: the digest tells whether it is right.
      if (!signal.aborted && this.#canGoOn && this.#at === end) return undefined;
      return this.#breakOf(error, signal);
    }
  }

  /** The failure, if it is one that may pass by itself; else it is thrown. */
  #breakOf(error: unknown, signal: AbortSignal): CopyError {
    const failure = networkFailure(error, this.#place.blame);
    if (signal.aborted || !this.#canGoOn || !(failure instanceof CopyError)) throw failure;
    if (!mayPass(failure)) throw failure;
    return failure;
  }

  /** How many bytes of the answer's body come before the one that is wanted. Throws where the body must not be used at all. */
  async #accept(answer: Answer, signal: AbortSignal): Promise<number> {
    const { size, blame } = this.#place;
    const verdict = judgePart(answer, {
      at: this.#at,
      to: this.#to,
      size,
      etag: this.#etag,
    });
    if (typeof verdict === "number") {
      this.#etag ??= strongEtag(answer.headers);
      this.#canGoOn = size !== undefined && !isEncoded(answer.headers);
      return verdict;
    }
    this.#canGoOn = false;
    await answer.read(0, signal);
    const { code, message } = verdict;
    const what = code === "size_mismatch" ? message : `${blame.registry} ${message}`;
    throw new CopyError(code, what, blame);
  }

  async #take(
    answer: Answer,
    skip: number,
    sink: Sink,
    signal: AbortSignal,
  ): Promise<CopyError | undefined> {
    const { blame } = this.#place;
    const end = this.#to ?? this.#place.size;
    const enough = new AbortController();
    let left = skip;
    const take: Sink = (chunk, release) => {
      const from = Math.min(left, chunk.length);
      const wanted = chunk.subarray(from, this.#to && from + this.#to - this.#at);
      left -= from;
      if (wanted.length === 0) return release();
      this.#at += wanted.length;
      this.#lent += chunk.length;
      sink(wanted, () => {
        this.#lent -= chunk.length;
        if (this.#lent <= LENT_LIMIT) this.#onReleased();
        release();
      });
      if (this.#at === this.#to && answer.status === 200) enough.abort();
    };
    await answer.pour(take, AbortSignal.any([signal, enough.signal])).catch((error: unknown) => {
      if (!enough.signal.aborted || signal.aborted) throw error;
    });
    return this.#canGoOn && end !== undefined && this.#at < end ? cutShort(blame) : undefined;
  }

  /** Whoever takes slowly must not be lent more with each break. */
  async #released(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#onReleased = resolve;
    if (signal.aborted) abort();
    if (this.#lent <= LENT_LIMIT) resolve();
    await promise.finally(() => signal.removeEventListener("abort", abort));
  }
}

/** There is no such part, it says; there may be the whole. */
const isOutOfRange = (error: unknown): error is CopyError =>
  error instanceof CopyError && error.context.upstream?.status === 416;

const cutShort = (blame: Blame): CopyError =>
  new CopyError("registry_unavailable", `${blame.registry} ended the blob early`, blame);
