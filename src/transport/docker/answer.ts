// One HTTP exchange as both ways of it (undici.ts, wire.ts) have it: the lowest layer, which knows no registry.

import type { IncomingHttpHeaders } from "node:http";
import type { Bytes, Sink } from "../../bytes.ts";
import type { StallRule } from "./stall-watch.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes are poured once the request has its connection; an answer that comes before they have ended ends them. */
  readonly body?: Buffer | Bytes;
  /** The answer's head must come within so many ms after the last byte was sent; absent: there is no limit of the request's own. */
  readonly answerMs?: number;
  /** What both bodies are held to, the request's (Bytes) and the answer's; absent: there is no limit. */
  readonly stall?: StallRule;
  /** Bytes of the answer's body, as far as they are known. */
  readonly expects?: number;
}

/** For what has a digest: without Accept-Encoding a proxy may compress what it sends (RFC 9110 12.5.3), and no digest would fit. */
export const IDENTITY = { "accept-encoding": "identity" } as const;

/** An answer that was read to its end, or to the limit that was set. */
export interface Reply {
  /** Of the request that it answers. */
  readonly method: HttpRequest["method"];
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  readonly body: Buffer;
  /** False: there was more than the limit. */
  readonly whole: boolean;
  /** True: it is a 401, and there is another token now. Said of a request that was not sent again with that, because its bytes come once. */
  readonly hasOtherToken?: boolean;
}

/** The head of an answer; its body is still to come, and must be poured or read, else it holds its connection. */
export class Answer implements Bytes {
  readonly method: Reply["method"];
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  readonly #body: Bytes;

  constructor({ method, status, headers, url }: Omit<Reply, "body" | "whole">, body: Bytes) {
    this.method = method;
    this.status = status;
    this.headers = headers;
    this.url = url;
    this.#body = body;
  }

  /** Rejects with the network's failure once what came before it was lent, or with `signal`'s reason. */
  pour(sink: Sink, signal: AbortSignal): Promise<void> {
    return this.#body.pour(sink, signal);
  }

  /** Reads the body, up to `limit` bytes; where there are more, the connection is closed. */
  async read(limit: number, signal: AbortSignal): Promise<Reply> {
    const chunks: Buffer[] = [];
    let length = 0;
    const enough = new AbortController();
    const take: Sink = (chunk, release) => {
      if (length <= limit) chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length > limit) enough.abort();
      release();
    };
    try {
      await this.pour(take, AbortSignal.any([signal, enough.signal]));
    } catch (error) {
      if (!enough.signal.aborted || signal.aborted) throw error;
    }
    const { method, status, headers, url } = this;
    const body = Buffer.concat(chunks).subarray(0, limit);
    return { method, status, headers, url, body, whole: length <= limit };
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

/** The blob, or a part of it. */
export const hasBlob = ({ status }: Pick<Answer, "status">): boolean =>
  status === 200 || status === 206;
