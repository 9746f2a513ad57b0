// Server-Sent Events: a stream's text, for as long as its reader stays. Text is made only as fast as the reader takes it, so a slow
// reader costs one buffer; one that takes nothing at all is cut off by the server's connection timeout.

import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { CopyError } from "../errors.ts";
import type { Event } from "../jobs/events.ts";
import { RequestFault } from "./problem.ts";

/** The contract promises a comment at least every 15 s. */
const HEARTBEAT_MS = 10_000;
/** How long to wait before a store that is away is asked again. */
const AGAIN_MS = 1000;
/** Streams that a tenant may have open at one API process. */
const TENANT_LIMIT = 1000;

/** Gives the events after an id, until `signal` aborts. */
export type Follow = (after: string | undefined, signal: AbortSignal) => AsyncGenerator<Event>;

export class Streams {
  readonly #open = new Map<string, Set<AbortController>>();
  readonly #heartbeatMs: number;
  #closing = false;

  constructor(heartbeatMs = HEARTBEAT_MS) {
    this.#heartbeatMs = heartbeatMs;
  }

  /** Answers with the events after the client's Last-Event-ID. Throws 406 where it wants something else, and `quota_exceeded`. */
  send(request: FastifyRequest, reply: FastifyReply, tenant: string, follow: Follow): FastifyReply {
    if (!acceptsEvents(request.headers.accept))
      throw new RequestFault(406, "there is nothing here but `text/event-stream`");
    const stop = this.#add(tenant);
    const end = () => {
      stop.abort();
      this.#remove(tenant, stop);
    };
    const events = lasting(follow, lastEventId(request), stop.signal);
    const frames = Readable.from(framesOf(events, stop, this.#heartbeatMs), { objectMode: false });
    frames.once("close", end);
    reply.raw.once("close", end);
    return reply
      .headers({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
      })
      .send(frames);
  }

  /** Ends all streams, and those that are asked for from now on at once. */
  close(): void {
    this.#closing = true;
    for (const stops of this.#open.values()) for (const stop of stops) stop.abort();
  }

  #add(tenant: string): AbortController {
    const mine = this.#open.get(tenant) ?? new Set();
    if (mine.size >= TENANT_LIMIT)
      throw new CopyError("quota_exceeded", `${TENANT_LIMIT} streams of events are open already`);
    const stop = new AbortController();
    if (this.#closing) stop.abort();
    this.#open.set(tenant, mine.add(stop));
    return stop;
  }

  #remove(tenant: string, stop: AbortController): void {
    const mine = this.#open.get(tenant);
    mine?.delete(stop);
    if (mine?.size === 0) this.#open.delete(tenant);
  }
}

const lastEventId = ({ headers }: FastifyRequest): string | undefined => {
  const id = headers["last-event-id"];
  return typeof id === "string" && id !== "" ? id : undefined;
};

/** Media ranges that cover it and are not refused by `q=0` (RFC 9110, 12.5.1). No header: anything goes. */
function acceptsEvents(accept = "*/*"): boolean {
  return accept.split(",").some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return (
      ["*/*", "text/*", "text/event-stream"].includes(type) &&
      !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
    );
  });
}

/** The stream's text: events as they come, a comment when there are none for a while. Ends with the events, or at once on abort. */
async function* framesOf(
  events: AsyncGenerator<Event>,
  stop: AbortController,
  heartbeatMs: number,
): AsyncGenerator<string> {
  yield "retry: 1000\n\n";
  let next = events.next();
  try {
    while (!stop.signal.aborted) {
      const result = await within(next, heartbeatMs);
      if (result === undefined) {
        yield ": still here\n\n";
        continue;
      }
      if (result.done === true) return;
      yield frameOf(result.value);
      next = events.next();
    }
  } finally {
    stop.abort();
    await next.catch(() => {});
  }
}

const frameOf = ({ id, type, data }: Event): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

/** Outlasts a store that is away: browsers do not come back by themselves to an address that answered 503. */
async function* lasting(
  follow: Follow,
  from: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  let after = from;
  while (!signal.aborted) {
    try {
      for await (const event of follow(after, signal)) {
        yield event;
        after = event.id;
      }
      return;
    } catch (error) {
      if (!(error instanceof CopyError && error.code === "service_unavailable")) throw error;
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** What the promise gives, or undefined if that takes longer than `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const settled = new AbortController();
  try {
    return await Promise.race([promise, sleep(ms, undefined, { signal: settled.signal })]);
  } finally {
    settled.abort();
  }
}
