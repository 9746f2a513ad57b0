// The test registry's addresses and answers.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Need } from "./registry-auth.ts";
import type { BlobFault } from "./registry-blobs.ts";
import { Refusal } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

export type Kind = "base" | "manifests" | "blobs" | "uploads" | "tags" | "token" | "referrers";

/** What goes wrong, and how often (default: always). Blob faults count bytes of the body from 0. */
export type Fault = BlobFault & {
  readonly times?: number;
  /** Answered instead, with `code` in the spec's JSON error. */
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  /** Of that answer; without a status, of the right one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of that error. */
  readonly body?: string;
  /** After so many that would have met it. */
  readonly after?: number;
  /** Only for requests that bring so many bytes, or more. */
  readonly least?: number;
  /** After it was asked for it, the registry has this blob of the repository no more, as where garbage is collected. */
  readonly loses?: string;
};

/** What goes wrong, and how often still. */
export class Faults {
  readonly #planned: {
    readonly what: string;
    left: number;
    spared: number;
    readonly fault: Fault;
  }[] = [];

  add(what: string, fault: Fault): void {
    this.#planned.push({ what, left: fault.times ?? Infinity, spared: fault.after ?? 0, fault });
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** The fault that a request meets which brings so many bytes. */
  next(what: string, bytes: number): Fault | undefined {
    const found = this.#planned.find(
      (planned) => planned.what === what && planned.left > 0 && bytes >= (planned.fault.least ?? 0),
    );
    if (found === undefined || found.spared-- > 0) return undefined;
    found.left--;
    return found.fault;
  }

  /** What is still to come, but for what always does. */
  get ahead(): readonly string[] {
    return this.#planned
      .filter(({ left }) => left > 0 && left < Infinity)
      .map(({ what, left }) => `${what} × ${left}`);
  }
}

/** PEM. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  /** Who has no certificate of this authority is not let in. */
  readonly clientCa?: string;
}

export const serverOptions = ({ key, cert, clientCa }: TlsFiles) => ({
  key,
  cert,
  ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
});

export interface Route {
  readonly kind: Kind;
  readonly repository: string;
  /** Tag, digest, or the id of an upload. */
  readonly ref: string;
}

export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly kind: Kind;
  /** When it came, and when its answer had been sent (0: not yet): ms of the monotonic clock. */
  readonly at: number;
  endedAt: number;
  /** Of its body, so far. */
  bytes: number;
  /** 0 while it is not answered. */
  status: number;
}

/** A request that has just come. */
export const seenFrom = (
  { method = "GET", url = "/", headers }: IncomingMessage,
  kind: Kind,
): SeenRequest => ({
  method,
  path: url,
  headers,
  kind,
  at: performance.now(),
  endedAt: 0,
  bytes: 0,
  status: 0,
});

export interface Exchange extends Route {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly method: string;
  readonly seen: SeenRequest;
  readonly fault: Fault | undefined;
}

export function routeOf(given: string): Route | undefined {
  const path = given.replace(/^\/odd-(uploads|blobs)\//, "/v2/");
  if (path === "/token") return { kind: "token", repository: "", ref: "" };
  if (path === "/v2/" || path === "/v2") return { kind: "base", repository: "", ref: "" };
  const [, uploadsOf, id] = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/.exec(path) ?? [];
  if (uploadsOf !== undefined) return { kind: "uploads", repository: uploadsOf, ref: id as string };
  const [, tagsOf] = /^\/v2\/(.+)\/tags\/list$/.exec(path) ?? [];
  if (tagsOf !== undefined) return { kind: "tags", repository: tagsOf, ref: "" };
  const [, repository, kind, ref] =
    /^\/v2\/(.+)\/(blobs|manifests|referrers)\/([^/]+)$/.exec(path) ?? [];
  if (repository === undefined) return undefined;
  return { kind: kind as Kind, repository, ref: ref as string };
}

export function needOf(
  method: string,
  { kind, repository }: Route,
  quirks: ReadonlySet<Quirk>,
): Need | undefined {
  if (kind === "base") return undefined;
  if (kind === "uploads" && method === "DELETE" && quirks.has("no-cancel"))
    return { repository, action: "delete" };
  const reads = method === "GET" || method === "HEAD";
  if (reads && kind !== "uploads") return { repository, action: "pull" };
  return { repository, action: method === "DELETE" && kind !== "uploads" ? "delete" : "push" };
}

export function json(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
    })
    .end(text);
}

export const refuse = (response: ServerResponse, { status, code, message }: Refusal): void =>
  json(response, status, { errors: [{ code, message }] });

export const setHeaders = (response: ServerResponse, { headers = {} }: Fault): void =>
  Object.entries(headers).forEach(([name, value]) => response.setHeader(name, value));

export function answerFault(response: ServerResponse, fault: Fault, status: number): void {
  setHeaders(response, fault);
  if (fault.body !== undefined) return void response.writeHead(status).end(fault.body);
  refuse(response, new Refusal(status, fault.code ?? "UNKNOWN", fault.message ?? "told to fail"));
}

export async function bodyOf(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw new Refusal(413, "SIZE_INVALID");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function setDigest(
  response: ServerResponse,
  digest: string,
  quirks: ReadonlySet<Quirk>,
): void {
  if (!quirks.has("no-docker-content-digest")) response.setHeader("Docker-Content-Digest", digest);
}
