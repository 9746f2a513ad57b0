// What comes over a wire: one answer after the other, each body lent from slabs into which the system has written it.
//
// The socket asks for room for the next bytes only when it has handed over the last, so the place where they go changes nowhere else; and
// TLS goes on delivering what it has decrypted after it was told to rest, so there must always be room.

import { errors } from "undici";
import type { Sink } from "../../../bytes.ts";
import type { HttpRequest } from "../answer.ts";
import { bodyReader, type BodyReader } from "./body.ts";
import { Expected } from "./expected.ts";
import { HEAD_LIMIT, HttpError, parseHead, type Head } from "./head.ts";
import type { Line } from "./line.ts";
import type { Slab } from "./slabs.ts";

/** The largest record of TLS: there is always room for one. */
const RECORD = 16 * 1024;
/** Slabs that are lent before the socket rests; one more is being filled. */
const LENT = 4;
/** Answers of 1xx before the one that counts. */
const INTERIM = 16;

export class Receiver {
  readonly #line: Line;
  /** Heads come here, and what comes when nothing should. */
  readonly #small = Buffer.allocUnsafeSlow(HEAD_LIMIT);
  /** Bodies come here. */
  #slab: Slab | undefined;
  /** What has come and was not read. */
  #from = 0;
  #to = 0;
  /** Slabs of this answer. Those of the one before do not count: whoever has them may be waiting for this one. */
  #held = new Set<Slab>();
  #isGathering = false;
  /** The socket is handing over bytes, and will ask for room afterwards. */
  #isInside = false;
  #expected: Expected | undefined;
  #isBroken = false;
  /** Something has come since the answer was expected. */
  heard = false;

  constructor(line: Line) {
    this.#line = line;
  }

  /** The reader of the body has too much of it: that nothing comes is his doing. */
  get isResting(): boolean {
    return this.#held.size > LENT;
  }

  /** An answer has begun, and not said yet what it is. */
  get isInHead(): boolean {
    return this.#expected?.reader === undefined && this.#from < this.#to;
  }

  expect(method: HttpRequest["method"]): Expected {
    this.heard = false;
    this.#line.resume();
    return (this.#expected = new Expected(method));
  }

  /** The connection may serve another exchange already when an answer is still looked at. */
  isAt(expected: Expected): boolean {
    return this.#expected === expected;
  }

  /** Where the next bytes go; never empty. */
  room(): Buffer {
    if (this.#isBroken) return this.#small;
    return (this.#slab?.bytes ?? this.#small).subarray(this.#to);
  }

  /** So many bytes have come to where there was room. False: the socket is to rest. */
  received(count: number): boolean {
    this.heard = true;
    this.#to += count;
    this.#isInside = true;
    try {
      const expected = this.#expected;
      if (expected === undefined) throw new HttpError("bytes came that nobody asked for");
      return expected.reader === undefined
        ? this.#readHead(expected)
        : this.#readBody(expected, expected.reader);
    } catch (error) {
      this.fail(error as Error);
      return false;
    } finally {
      this.#isInside = false;
    }
  }

  /** Lends the body as it comes. Rejects with what the wire fails with; what came before that was lent. */
  async pour(expected: Expected, sink: Sink): Promise<void> {
    try {
      for (const chunk of expected.early.splice(0)) sink(chunk, () => {});
    } catch (error) {
      this.abandon(expected, error as Error);
      throw error;
    }
    expected.sink = sink;
    expected.isWanted = true;
    if (this.isAt(expected)) {
      this.#flush(expected);
      this.#line.resume();
    }
    await expected.body.promise;
  }

  /** Fails, unless that answer is over already. */
  abandon(expected: Expected, reason: Error): void {
    if (this.isAt(expected)) this.fail(reason);
  }

  /** The connection has ended, with an error or in good order. */
  closed(error: Error | undefined): void {
    const expected = this.#expected;
    if (expected !== undefined) this.#flush(expected);
    if (this.#expected?.reader?.end() === true && error === undefined) this.#over(this.#expected);
    else this.fail(error ?? new errors.SocketError("other side closed"));
  }

  fail(reason: Error): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    // Not given back: something may still be written into it.
    this.#slab = undefined;
    const expected = this.#expected;
    this.#expected = undefined;
    this.#line.onBroken(reason);
    expected?.head.reject(reason);
    expected?.body.reject(reason);
  }

  #readHead(expected: Expected): boolean {
    for (;;) {
      const seen = this.#small.subarray(this.#from, this.#to);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) {
        if (this.#to === HEAD_LIMIT) throw new errors.HeadersOverflowError();
        return true;
      }
      const head = parseHead(seen.toString("latin1", 0, end), expected.method);
      this.#from += end + 4;
      if (head.status >= 200) return this.#begin(expected, head);
      if (++expected.interim > INTERIM) throw new HttpError("the answer does not come to an end");
    }
  }

  #begin(expected: Expected, head: Head): boolean {
    expected.reader = bodyReader(head.framing);
    expected.keepsAlive = head.keepsAlive;
    this.#line.onHead(head);
    expected.head.resolve(head);
    this.#flush(expected);
    if (!this.isAt(expected)) return !this.#isBroken;
    this.#from = this.#to = 0;
    this.#held = new Set();
    this.#takeSlab();
    return false;
  }

  #readBody(expected: Expected, reader: BodyReader): boolean {
    const isFull = () => this.#slab !== undefined && this.#slab.bytes.length - this.#to < RECORD;
    // Records of TLS, and what else comes in one turn of the loop, are gathered: fewer hash calls, fewer writes.
    if (reader.left === Infinity || this.#to - this.#from >= reader.left || isFull())
      this.#flush(expected);
    else if (expected.isWanted) this.#flushLater(expected);
    if (!this.isAt(expected)) return !this.#isBroken;
    if (isFull()) this.#nextSlab();
    return expected.isWanted && !this.isResting;
  }

  #flushLater(expected: Expected): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setImmediate(() => {
      this.#isGathering = false;
      if (this.isAt(expected)) this.#flush(expected);
    });
  }

  #flush(expected: Expected): void {
    const { reader } = expected;
    if (reader === undefined) return;
    try {
      const { bytes } = this.#slab ?? { bytes: this.#small };
      while (this.#from < this.#to && !reader.done && !this.#isBroken) {
        const { used, data } = reader.take(bytes.subarray(this.#from, this.#to));
        this.#from += used;
        if (data !== undefined) this.#lend(data, expected.sink);
      }
    } catch (error) {
      return this.fail(error as Error);
    }
    if (reader.done && !this.#isBroken) this.#over(expected);
  }

  #lend(data: Buffer, sink: Sink): void {
    const slab = this.#slab;
    if (slab !== undefined) slab.users++;
    let isLent = slab !== undefined;
    sink(data, () => {
      if (!isLent || slab === undefined) return;
      isLent = false;
      slab.users--;
      this.#recycle(slab);
    });
  }

  /** Only while the socket is about to ask for room may the slab be another, and so only then may another answer follow. */
  #over(expected: Expected): void {
    const isClean = this.#isInside && this.#from === this.#to && expected.keepsAlive;
    this.#expected = undefined;
    if (this.#isInside) this.#retireSlab();
    this.#line.onOver(isClean);
    expected.body.resolve();
  }

  #takeSlab(): void {
    this.#slab = this.#line.slabs.take(this.#line.slabSize);
    this.#held.add(this.#slab);
  }

  #nextSlab(): void {
    this.#retireSlab();
    this.#takeSlab();
  }

  #retireSlab(): void {
    const slab = this.#slab;
    this.#slab = undefined;
    this.#from = this.#to = 0;
    if (slab === undefined) return;
    slab.full = true;
    this.#recycle(slab);
  }

  #recycle(slab: Slab): void {
    if (slab.users > 0 || !slab.full) return;
    slab.full = false;
    this.#line.slabs.giveBack(slab);
    if (this.#held.delete(slab) && !this.isResting) this.#line.resume();
  }
}
