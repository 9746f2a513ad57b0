// The test registry's addresses and answers.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Need } from "./registry-auth.ts";
import type { BlobFault } from "./registry-blobs.ts";
import { Refusal } from "./registry-content.ts";

export type Quirk =
  /** Tokens are for the first scope of those that are asked for (GitLab). */
  | "one-scope"
  /** 403 for what is not there (GitLab, Artifactory). */
  | "hides-missing"
  /** What is not there is `UNKNOWN`, with the reason in words (Harbor). */
  | "unknown-for-missing"
  /** An OCI manifest must say its own type (ECR). */
  | "wants-media-type"
  /** No Location when a manifest was stored (ECR). */
  | "no-manifest-location"
  /** Uploads go on outside of /v2/ (GAR). */
  | "odd-upload-location"
  /** Upload locations are paths, not URLs. */
  | "relative-location"
  | "no-docker-content-digest"
  /** Blobs are served by the other origin. */
  | "redirect-blobs"
  /** Uploads go to the other origin. */
  | "uploads-elsewhere"
  /** A mount is answered with an upload session. */
  | "no-mount"
  /** Blobs come without Content-Length. */
  | "no-content-length"
  /** Content types have parameters. */
  | "content-type-parameters"
  /** There is no referrers API. */
  | "no-referrers"
  /** There is none, but the registry says that it has taken note of a subject (ECR). */
  | "subject-without-referrers"
  /** The other origin is asked for referrers, and is busy (GHCR). */
  | "referrers-elsewhere"
  /** The tag `sha256-<hex>` is taken for the digest (GitLab). */
  | "dash-is-digest"
  /** Blobs come whole, whatever part was asked for. */
  | "ignores-range"
  /** A part begins a byte early, or belongs to a blob of another size, and says so. */
  | "wrong-part"
  | "wrong-total"
  /** Parts come as multipart/byteranges. */
  | "multipart"
  /** A part is of other content, and has another ETag or none. */
  | "other-content"
  | "other-etag"
  /** An upload whose request broke off is unknown from then on (distribution: its state's offset does not fit any more). */
  | "loses-uploads"
  /** Nobody can ask how far an upload is (go-containerregistry's registry). */
  | "no-upload-status"
  /** An upload is said to have a byte less than it has, and nobody checks where a chunk belongs. */
  | "miscounts-uploads"
  /** PATCH is answered with 201 (ECR). */
  | "patch-created"
  /** No request may bring more than 4 MiB of a blob (GHCR). */
  | "small-chunks"
  /** Chunks must have 5 MiB, but for the last. */
  | "large-chunks";

export type Kind = "base" | "manifests" | "blobs" | "uploads" | "tags" | "token" | "referrers";

/** What goes wrong, and how often (default: always). Blob faults count bytes of the body from 0. */
export type Fault = BlobFault & {
  readonly times?: number;
  /** Answered instead, with `code` in the spec's JSON error. */
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of that error. */
  readonly body?: string;
  /** After it was asked for it, the registry has this blob of the repository no more, as where garbage is collected. */
  readonly loses?: string;
};

/** What goes wrong, and how often still. */
export class Faults {
  readonly #planned: { readonly what: string; left: number; readonly fault: Fault }[] = [];

  add(what: string, fault: Fault): void {
    this.#planned.push({ what, left: fault.times ?? Infinity, fault });
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** The fault that a request meets. */
  next(what: string): Fault | undefined {
    const found = this.#planned.find((planned) => planned.what === what && planned.left > 0);
    if (found !== undefined) found.left--;
    return found?.fault;
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

/** Counts how often each was acted by: a test that claims a quirk must have met it. */
export class QuirkSet extends Set<Quirk> {
  readonly met = new Map<Quirk, number>();

  override has(quirk: Quirk): boolean {
    const is = super.has(quirk);
    if (is) this.met.set(quirk, (this.met.get(quirk) ?? 0) + 1);
    return is;
  }
}

export function routeOf(given: string): Route | undefined {
  const path = given.replace(/^\/odd-uploads\//, "/v2/");
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

export function needOf(method: string, { kind, repository }: Route): Need | undefined {
  if (kind === "base") return undefined;
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

export function answerFault(response: ServerResponse, fault: Fault, status: number): void {
  for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
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
