// One HTTP/1.1 connection without streams: what it receives lands in slabs, what it sends goes out as it was lent. One exchange at a time.

import type { Socket } from "node:net";
import { errors } from "undici";
import type { Bytes, Sink } from "../../../bytes.ts";
import { reasonOf } from "../../../errors.ts";
import type { Dial } from "../../../host/connector.ts";
import { Answer, type HttpRequest } from "../answer.ts";
import { StallError, StallWatch, type StallRule } from "../stall-watch.ts";
import type { Expected } from "./expected.ts";
import { formatHead, type Head } from "./head.ts";
import { Outflow } from "./outflow.ts";
import { Receiver } from "./receiver.ts";
import { sendBody } from "./sender.ts";
import type { Slabs } from "./slabs.ts";

/** Bytes of a slab. Larger ones are no faster: a read from a TCP socket may fill one, a record of TLS has 16 KiB. */
const TCP_SLAB = 1024 * 1024;
const TLS_SLAB = 256 * 1024;

/** What a request has to say of itself to go over a wire. */
export interface WireRequest extends HttpRequest {
  /** Bytes are sent only with the header `content-length`. */
  readonly body?: Bytes;
}

export interface Owner {
  /** The exchange is over, and another may follow within so many ms (undefined: nothing was said of that). */
  readonly onIdle: (wire: Wire, idleMs: number | undefined) => void;
  readonly onClosed: (wire: Wire) => void;
}

type Doing = "nothing" | "sending" | "waiting" | "receiving";

export class Wire {
  readonly #owner: Owner;
  readonly #receiver: Receiver;
  #socket: Socket | undefined;
  #failure: Error | undefined;
  /** Something of a body was not sent yet: what follows on this connection would be taken for it. */
  #isUnsent = false;
  #doing: Doing = "nothing";
  /** Of the body that is received. */
  #watch = new StallWatch(undefined, "receiving");
  #idleMs: number | undefined;
  #late: NodeJS.Timeout | undefined;

  private constructor(slabs: Slabs, slabSize: number, owner: Owner) {
    this.#owner = owner;
    this.#receiver = new Receiver({
      slabs,
      slabSize,
      resume: () => this.#resume(),
      onHead: ({ idleMs }) => {
        this.#idleMs = idleMs;
        this.#do("receiving");
      },
      onOver: (isClean) => this.#over(isClean),
      onBroken: (reason) => this.#broken(reason),
    });
  }

  /** Connects. Fails as `dial` does. */
  static async open(
    dial: Dial,
    url: URL,
    slabs: Slabs,
    owner: Owner,
    signal: AbortSignal,
  ): Promise<Wire> {
    const wire = new Wire(slabs, url.protocol === "https:" ? TLS_SLAB : TCP_SLAB, owner);
    const onread = {
      buffer: () => wire.#receiver.room(),
      callback: (count: number) => wire.#received(count),
    };
    wire.#attach(await dial(url, { onread, signal }));
    return wire;
  }

  /** Nothing of an answer has come, because the connection had ended: the request may go over another one. */
  get wasStale(): boolean {
    return (
      this.#failure !== undefined &&
      "code" in this.#failure &&
      STALE.has(String(this.#failure.code)) &&
      !this.#receiver.heard
    );
  }

  /**
   * Sends a request; resolves with the head of the answer. Rejects with the body's own failure if that came first, else with that of the
   * connection (undici's errors, where it has one), HttpError, StallError, or `signal`'s reason.
   */
  async ask(request: WireRequest, signal: AbortSignal): Promise<Answer> {
    const { method, url, stall } = request;
    const text = formatHead(request);
    const expected = this.#receiver.expect(method);
    const abort = () => this.#receiver.abandon(expected, signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      this.#socket?.ref();
      if (this.#failure === undefined) this.#socket?.write(text, "latin1");
      const head = await this.#head(request, expected, signal);
      return new Answer(
        { method, status: head.status, headers: head.headers, url },
        { pour: (sink, pourSignal) => this.#pour(expected, stall, sink, pourSignal) },
      );
    } catch (error) {
      this.#receiver.abandon(expected, error as Error);
      throw reasonOf(error, signal);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends the connection; what is under way fails with this reason. */
  fail(reason: Error): void {
    this.#receiver.fail(reason);
  }

  async #head(request: WireRequest, expected: Expected, signal: AbortSignal): Promise<Head> {
    if (this.#failure !== undefined) throw this.#failure;
    const { body, answerMs } = request;
    const onSent = () => {
      if (!this.#receiver.isAt(expected) || expected.reader !== undefined) return;
      this.#do("waiting");
      this.#inTime(answerMs);
    };
    if (body === undefined) onSent();
    else await this.#send(request, body, expected, onSent, signal);
    return expected.head.promise;
  }

  async #send(
    { headers, stall }: WireRequest,
    body: Bytes,
    expected: Expected,
    onSent: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    this.#do("sending", stall?.stallMs);
    this.#isUnsent = true;
    const flow = new Outflow(this.#socket as Socket, stall, (error) => this.fail(error));
    const outlet = { flow, answered: expected.head.promise };
    const end = await sendBody(body, Number(headers["content-length"]), outlet, signal);
    if (end === undefined) return;
    this.#isUnsent = false;
    void end.written.then(onSent);
  }

  async #pour(
    expected: Expected,
    stall: StallRule | undefined,
    sink: Sink,
    signal: AbortSignal,
  ): Promise<void> {
    const watch = new StallWatch(stall, "receiving");
    const either = AbortSignal.any([signal, watch.signal]);
    const abort = () => this.#receiver.abandon(expected, either.reason as Error);
    if (either.aborted) abort();
    either.addEventListener("abort", abort, { once: true });
    try {
      if (this.#receiver.isAt(expected)) this.#watch = watch;
      await this.#receiver.pour(expected, sink);
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      watch.end();
      either.removeEventListener("abort", abort);
    }
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    socket
      .on("timeout", () => this.#onTimeout())
      .on("error", (error) => this.#receiver.closed(error))
      .on("end", () => this.#receiver.closed(undefined))
      .on("close", () => {
        this.#receiver.closed(undefined);
        this.#owner.onClosed(this);
      });
    if (socket.destroyed) this.#receiver.closed(undefined);
    if (this.#failure !== undefined) socket.destroy();
    if (socket.closed) setImmediate(() => this.#owner.onClosed(this));
  }

  #received(count: number): boolean {
    this.#watch.moved(count);
    const goesOn = this.#receiver.received(count);
    if (!goesOn) this.#watch.rest();
    // Node counts what is received for movement, too: whoever answers while the body is sent must do so in time.
    if (this.#doing === "sending" && !this.#receiver.isInHead) this.#inTime(undefined);
    else if (this.#doing === "sending" && this.#late === undefined)
      this.#inTime(this.#socket?.timeout);
    return goesOn;
  }

  #resume(): void {
    this.#watch.start();
    this.#socket?.resume();
  }

  /** `withinMs`: the socket must move something. */
  #do(doing: Doing, withinMs = 0): void {
    this.#inTime(undefined);
    this.#doing = doing;
    this.#socket?.setTimeout(withinMs);
  }

  /** The answer's head must be there within so many ms; undefined: at any time. */
  #inTime(ms: number | undefined): void {
    clearTimeout(this.#late);
    const late = () => this.fail(new errors.HeadersTimeoutError());
    this.#late = ms === undefined || ms === 0 ? undefined : setTimeout(late, ms);
  }

  /** Node counts for movement what the system takes of a write: nothing has moved at all. */
  #onTimeout(): void {
    const socket = this.#socket;
    if (this.#doing === "sending" && socket?.writableLength === 0)
      socket.setTimeout(socket.timeout ?? 0);
    else if (this.#doing === "sending") this.fail(new StallError("sending"));
    else this.fail(new errors.SocketError("idle for too long"));
  }

  #over(isClean: boolean): void {
    this.#do("nothing");
    this.#watch.end();
    if (!isClean || this.#isUnsent)
      return this.fail(new errors.SocketError("not to be used again"));
    this.#owner.onIdle(this, this.#idleMs);
  }

  /** Rests between two exchanges, for so many ms at most. */
  rest(idleMs: number): void {
    this.#socket?.setTimeout(idleMs).unref();
  }

  #broken(reason: Error): void {
    this.#failure = reason;
    this.#inTime(undefined);
    this.#socket?.destroy();
  }
}

const STALE: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);
