// A body's bytes on their way into a socket, so that it shows how fast they go. Of a write Node tells that the system has all of it,
// and of one that waits whether anything moves, but not how much: so no more waits in the socket than it needs, and little on a slow line.

import type { Socket } from "node:net";
import { StallWatch, type StallError, type StallRule } from "../stall-watch.ts";

/** Bytes that wait in the socket before no more are handed over: TLS, which takes its time for each write, has the next one ready. */
const AHEAD = 256 * 1024;
/** On a slow line as much is handed over at a time as goes in this part of a stall: with the usual rule, in a second. */
const PARTS = 60;

/** Bytes to hand over at a time, after so many waited for so many ms: all there are on a fast line, `stallBytes` on the slowest. */
export const partAfter = (bytes: number, ms: number, { stallBytes, stallMs }: StallRule): number =>
  Math.max(stallBytes, Math.floor((bytes * stallMs) / (ms * PARTS)));

interface Waiting {
  readonly chunk: Buffer;
  readonly written: () => void;
}

export class Outflow {
  readonly #socket: Socket;
  readonly #rule: StallRule | undefined;
  readonly #watch: StallWatch;
  readonly #waiting: Waiting[] = [];
  /** Bytes that the socket has, and the system has not. */
  #inHand = 0;
  /** When something was in hand first, or something of it was taken last. */
  #since = 0;
  /** Bytes that are handed over at a time. */
  #part = Infinity;

  /** `onStall` hears of it when the system takes too little, until `end`. */
  constructor(socket: Socket, rule: StallRule | undefined, onStall: (error: StallError) => void) {
    this.#socket = socket;
    this.#rule = rule;
    this.#watch = new StallWatch(rule, "sending");
    const { signal } = this.#watch;
    signal.addEventListener("abort", () => onStall(signal.reason as StallError), { once: true });
  }

  /** Calls `written` when the system has the chunk, or nobody will ever want it. */
  write(chunk: Buffer, written: () => void): void {
    this.#waiting.push({ chunk, written });
    this.#next();
  }

  end(): void {
    this.#watch.end();
  }

  #next(): void {
    while (this.#inHand < AHEAD) {
      const next = this.#take();
      if (next === undefined) return;
      this.#hand(next);
    }
  }

  /** The next chunk, or a part of it. */
  #take(): Waiting | undefined {
    const next = this.#waiting.shift();
    if (next === undefined || next.chunk.length <= this.#part) return next;
    const { chunk, written } = next;
    this.#waiting.unshift({ chunk: chunk.subarray(this.#part), written });
    return { chunk: chunk.subarray(0, this.#part), written: () => {} };
  }

  /** A socket that has ended takes everything, and calls back. */
  #hand({ chunk, written }: Waiting): void {
    const { length } = chunk;
    let waits = false;
    this.#socket.write(chunk, () => {
      if (waits) this.#taken(length);
      written();
      this.#next();
    });
    waits = this.#socket.writableLength > 0;
    if (!waits) return this.#watch.moved(length);
    if (this.#inHand === 0) this.#since = performance.now();
    this.#inHand += length;
    this.#watch.waitsFor(this.#inHand);
  }

  #taken(length: number): void {
    const now = performance.now();
    if (this.#rule !== undefined) this.#part = partAfter(length, now - this.#since, this.#rule);
    this.#since = now;
    this.#inHand -= length;
    this.#watch.moved(length);
    this.#watch.waitsFor(this.#inHand);
  }
}
