// One of the two ways of an exchange: undici's dispatcher. No Node stream stands between socket and reader: a body's bytes are lent as
// they come, and the socket rests while too much is lent.

import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Bytes, Sink } from "../../bytes.ts";
import { reasonOf } from "../../errors.ts";
import { Answer, type HttpRequest } from "./answer.ts";
import { Feed } from "./feed.ts";
import { StallWatch } from "./stall-watch.ts";

/** At most so many bytes are lent at a time. */
const LENT_LIMIT = 1024 * 1024;

/**
 * Sends a request; resolves with the head of the answer. Rejects with the body's own failure if that came first, else with undici's
 * error, StallError, or `signal`'s reason.
 */
export async function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  const { body } = request;
  if (body === undefined || Buffer.isBuffer(body))
    return new Exchange(request).answer(dispatcher, request, body, signal);
  return pourInto(dispatcher, request, body, signal);
}

/** The body goes on being sent while an early answer is read: a connection on which it ends too soon is of no more use. */
async function pourInto(
  dispatcher: Dispatcher,
  request: HttpRequest,
  body: Bytes,
  signal: AbortSignal,
): Promise<Answer> {
  const watch = new StallWatch(request.stall, "sending");
  const either = AbortSignal.any([signal, watch.signal]);
  const feed = new Feed(body, watch);
  const close = () => feed.close().finally(() => watch.end());
  const answer = await new Exchange(request)
    .answer(dispatcher, request, feed.start(either), either)
    .catch(async (error: unknown) => {
      await close();
      throw error;
    });
  return new Answer(answer, {
    pour: async (sink, pourSignal) => {
      try {
        await answer.pour(sink, AbortSignal.any([pourSignal, watch.signal]));
      } finally {
        await close();
      }
    },
  });
}

class Exchange implements Bytes {
  readonly #url: URL;
  readonly #watch: StallWatch;
  readonly #head = Promise.withResolvers<{ status: number; headers: IncomingHttpHeaders }>();
  readonly #end = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  #sink: Sink | undefined;
  #lent = 0;
  #failure: { readonly reason: Error } | undefined;

  constructor({ url, stall }: Pick<HttpRequest, "url" | "stall">) {
    this.#url = url;
    this.#watch = new StallWatch(stall, "receiving");
    this.#watch.signal.addEventListener("abort", () => this.#fail(this.#watch.signal.reason), {
      once: true,
    });
    // Whether anybody waits for the end is not known yet; a failure before that must not count as unhandled.
    this.#end.promise.catch(() => {});
  }

  async answer(
    dispatcher: Dispatcher,
    { method, headers, answerMs }: HttpRequest,
    body: Buffer | Feed | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const url = this.#url;
    const abort = () => this.#fail(signal.reason);
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
        // undici would close the connection after each HEAD, for hosts that send a body all the same; such bytes are nobody's answer.
        ...(method === "HEAD" && { reset: false }),
      };
      dispatcher.dispatch(options, this.#handler());
      return new Answer({ ...(await this.#head.promise), method, url }, this);
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
      this.#watch.start();
      this.#controller?.resume();
      await this.#end.promise;
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      this.#watch.end();
      signal.removeEventListener("abort", abort);
    }
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
        controller.pause();
        this.#head.resolve({ status, headers });
      },
      onResponseData: (controller, chunk) => {
        this.#lent += chunk.length;
        this.#watch.moved(chunk.length);
        if (this.#lent > LENT_LIMIT) {
          controller.pause();
          this.#watch.rest();
        }
        this.#sink?.(chunk, () => {
          this.#lent -= chunk.length;
          if (this.#lent > LENT_LIMIT || this.#failure !== undefined) return;
          this.#watch.start();
          controller.resume();
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
