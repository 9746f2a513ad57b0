// How the test registry moves the bytes of blobs: counted, as slowly as a test wants, and as wrongly.

import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

export interface BlobFault {
  /** The connection ends in good order after so many bytes. */
  readonly truncate?: number;
  /** The connection is reset after so many bytes. */
  readonly reset?: number;
  /** Nothing more is sent, or read, after so many bytes. */
  readonly stall?: number;
  /** All is done as it should be, but for the answer, which never comes. */
  readonly mute?: boolean;
  /** One bit in the middle is turned over. */
  readonly corrupt?: boolean;
}

const CHUNK = 256 * 1024;

/** Counts blobs on their way. */
export class Traffic {
  readonly inFlight = { downloads: 0, uploads: 0 };
  readonly peak = { downloads: 0, uploads: 0 };
  readonly #delayMs: number;
  readonly #bytesPerSecond: number;
  readonly #closing = new AbortController();

  /** `bytesPerSecond`: of each upload. */
  constructor(delayMs: number, bytesPerSecond: number) {
    this.#delayMs = delayMs;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Counts one transfer until the returned function is called, or the exchange is closed. */
  begin(kind: "downloads" | "uploads", exchange: IncomingMessage | ServerResponse): () => void {
    const now = ++this.inFlight[kind];
    this.peak[kind] = Math.max(this.peak[kind], now);
    let counted = true;
    const end = () => {
      if (counted) this.inFlight[kind]--;
      counted = false;
    };
    exchange.once("close", end);
    return end;
  }

  async delay(): Promise<void> {
    if (this.#delayMs > 0) await sleep(this.#delayMs, undefined, { signal: this.#closing.signal });
  }

  /** Takes as long as so many bytes do. */
  async pass(bytes: number): Promise<void> {
    if (this.#bytesPerSecond === Infinity) return;
    const { signal } = this.#closing;
    await sleep((bytes / this.#bytesPerSecond) * 1000, undefined, { signal });
  }

  close(): void {
    this.#closing.abort();
  }
}

interface Serving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bytes: Buffer;
  readonly fault: BlobFault | undefined;
  readonly unsized?: boolean;
  readonly traffic?: Traffic;
  readonly quirks?: ReadonlySet<Quirk>;
}

/** Answers GET or HEAD, whole or by range. */
export async function serveBlob(serving: Serving): Promise<void> {
  const { request, response, fault, unsized, traffic } = serving;
  const bytes = fault?.corrupt ? corrupted(partOf(serving)) : partOf(serving);
  if (!unsized) response.setHeader("Content-Length", bytes.length);
  response.setHeader("Accept-Ranges", "bytes");
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const end = traffic?.begin("downloads", response);
  const limit = fault?.truncate ?? fault?.reset ?? fault?.stall;
  if (limit !== undefined) return breakOff(response, bytes.subarray(0, limit), fault);
  let sent = 0;
  if (traffic !== undefined) {
    sent = Math.min(bytes.length >> 1, CHUNK);
    if (sent > 0) await write(response, bytes.subarray(0, sent));
    await traffic.delay();
  }
  for (; bytes.length - sent > CHUNK; sent += CHUNK)
    await write(response, bytes.subarray(sent, sent + CHUNK));
  // Whoever gets the last bytes may start the next transfer before this process hears that they were sent.
  end?.();
  response.end(bytes.subarray(sent));
}

/** The part that is asked for, or what the quirks make of it; sets the head of the answer. */
function partOf({ request, response, bytes: whole, quirks = NONE }: Serving): Buffer {
  const { length } = whole;
  const { range } = request.headers;
  const isIgnored = range !== undefined && quirks.has("ignores-range");
  if (range?.endsWith("-") && quirks.has("closed-ranges"))
    throw new Refusal(416, "BLOB_UNKNOWN", "We don't understand your Range");
  const { from, to = length } = isIgnored ? {} : rangeIn(range, length);
  response.statusCode = from === undefined ? 200 : 206;
  if (quirks.has("other-etag")) response.setHeader("ETag", `"${from === undefined}"`);
  if (from === undefined) return whole;
  const first = quirks.has("wrong-part") ? from - 1 : from;
  const total = quirks.has("wrong-total") ? length + 1 : length;
  response.setHeader("Content-Range", `bytes ${first}-${to - 1}/${total}`);
  if (quirks.has("multipart"))
    response.setHeader("Content-Type", "multipart/byteranges; boundary=b");
  return quirks.has("other-content")
    ? Buffer.alloc(length - from, "other")
    : whole.subarray(first, to);
}

const NONE: ReadonlySet<Quirk> = new Set();

async function breakOff(
  response: ServerResponse,
  bytes: Buffer,
  fault: BlobFault | undefined,
): Promise<void> {
  response.flushHeaders();
  if (bytes.length > 0) await write(response, bytes);
  if (fault?.truncate !== undefined) response.socket?.destroySoon();
  if (fault?.reset !== undefined) response.socket?.resetAndDestroy();
}

function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function corrupted(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const middle = copy.length >> 1;
  if (copy.length > 0) copy[middle] = (copy[middle] as number) ^ 1;
  return copy;
}

/** Only one range, with a first byte; its end is not included. */
function rangeIn(
  range: string | undefined,
  length: number,
): { readonly from?: number; readonly to?: number } {
  const [, first, last] = /^bytes=([0-9]+)-([0-9]*)$/.exec(range ?? "") ?? [];
  if (first === undefined) return {};
  const from = Number(first);
  const to = last ? Math.min(Number(last) + 1, length) : length;
  if (from >= to) throw new Refusal(416, "RANGE_INVALID");
  return { from, to };
}
