// One HTTP exchange over undici's dispatcher: the lowest layer, which knows no registry. No Node stream stands between socket
// and reader: a blob's bytes are lent as they come, and the socket rests while too much is lent.

import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Bytes, Sink } from "../../bytes.ts";
import { reasonOf } from "../../errors.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Buffer>;
  /** The answer's head must come within so many ms after the last byte was sent; absent: as the dispatcher has it. */
  readonly answerMs?: number;
}

/** An answer that was read to its end, or to the limit that was set. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  readonly body: Buffer;
  /** False: there was more than the limit. */
  readonly whole: boolean;
}

/** At most so many bytes are lent at a time. */
const LENT_LIMIT = 1024 * 1024;

/** The head of an answer; its body is still to come, and must be poured or read, else it holds its connection. */
export class Answer implements Bytes {
  readonly url: URL;
  status = 0;
  headers: IncomingHttpHeaders = {};
  readonly #head = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  #sink: Sink | undefined;
  #lent = 0;
  #failure: { readonly reason: Error } | undefined;

  private constructor(url: URL) {
    this.url = url;
    // Whether anybody waits for the end is not known yet; a failure before that must not count as unhandled.
    this.#end.promise.catch(() => {});
  }

  /** Sends a request; resolves with the head of the answer. Rejects with undici's error, or with `signal`'s reason. */
  static async request(
    dispatcher: Dispatcher,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<Answer> {
    signal.throwIfAborted();
    const { url, method, headers, body, answerMs } = request;
    const answer = new Answer(url);
    const abort = () => answer.#fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const options: Dispatcher.DispatchOptions = {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        // undici takes any iterable as a body; its types name only streams.
        body: (body ?? null) as Readable | null,
        ...(answerMs !== undefined && { headersTimeout: answerMs }),
      };
      dispatcher.dispatch(options, answer.#handler());
      await answer.#head.promise;
      return answer;
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async pour(sink: Sink, signal: AbortSignal): Promise<void> {
    const abort = () => this.#fail(signal.reason);
    this.#sink = sink;
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.#controller?.resume();
      await this.#end.promise;
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Reads the body, up to `limit` bytes; where there are more, the connection is closed. */
  async read(limit: number, signal: AbortSignal): Promise<Reply> {
    const chunks: Buffer[] = [];
    let length = 0;
    const enough = new AbortController();
    const take: Sink = (chunk, release) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) enough.abort();
      release();
    };
    try {
      await this.pour(take, AbortSignal.any([signal, enough.signal]));
    } catch (error) {
      if (!enough.signal.aborted || signal.aborted) throw error;
    }
    const { status, headers, url } = this;
    const body = Buffer.concat(chunks).subarray(0, limit);
    return { status, headers, url, body, whole: length <= limit };
  }

  #fail(reason: Error): void {
    this.#failure ??= { reason };
    this.#controller?.abort(reason);
    this.#head.reject(reason);
    this.#end.reject(reason);
  }

  #handler(): Dispatcher.DispatchHandler {
    return {
      onRequestStart: (controller) => {
        this.#controller = controller;
        if (this.#failure !== undefined) controller.abort(this.#failure.reason);
      },
      onResponseStart: (controller, status, headers) => {
        if (status < 200) return;
        this.status = status;
        this.headers = headers;
        controller.pause();
        this.#head.resolve();
      },
      onResponseData: (controller, chunk) => {
        this.#lent += chunk.length;
        if (this.#lent > LENT_LIMIT) controller.pause();
        this.#sink?.(chunk, () => {
          this.#lent -= chunk.length;
          if (this.#lent <= LENT_LIMIT && this.#failure === undefined) controller.resume();
        });
      },
      onResponseEnd: () => this.#end.resolve(),
      onResponseError: (_controller, error) => {
        this.#failure ??= { reason: error };
        this.#head.reject(error);
        this.#end.reject(error);
      },
    };
  }
}

/** The one value of a header, or the first of several. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The content type without its parameters, in lower case as types are compared; "" where there is none. */
export function mediaTypeOf({ headers }: Pick<Reply, "headers">): string {
  const [type = ""] = (headerOf(headers, "content-type") ?? "").split(";", 1);
  return type.trim().toLowerCase();
}
