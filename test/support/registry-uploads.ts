// Upload sessions of the test registry: POST, then PATCH as often as one likes, then PUT; or all in one.

import { createHash, randomUUID, type Hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../../src/image/digest.ts";
import type { BlobFault, Traffic } from "./registry-blobs.ts";
import { Refusal, type Content } from "./registry-content.ts";
import type { Quirk } from "./registry-http.ts";

interface Session {
  readonly repository: string;
  readonly chunks: Buffer[];
  readonly hash: Hash;
  size: number;
  /** Bytes of the chunk that came last. */
  lastChunk?: number;
}

interface UploadRequest {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly repository: string;
  /** "" for the POST that begins one. */
  readonly id: string;
  readonly digest: string | null;
  readonly fault: BlobFault | undefined;
}

interface UploadAnswer {
  readonly status: number;
  readonly location?: string;
  readonly digest?: Digest;
  readonly range?: string;
  /** Bytes that a chunk must have. */
  readonly least?: number;
}

const MIB = 1024 * 1024;

/** `base`: what locations are paths of. */
export function answerUpload(
  response: ServerResponse,
  { status, location, range, least }: UploadAnswer,
  base: string,
): void {
  if (least !== undefined) response.setHeader("OCI-Chunk-Min-Length", least);
  if (range !== undefined) response.setHeader("Range", range);
  if (location !== undefined) response.setHeader("Location", base + location);
  response.writeHead(status).end();
}

/** What upload locations begin with. */
export function baseOf(quirks: ReadonlySet<Quirk>, own: string, elsewhere: string): string {
  if (quirks.has("relative-location")) return "";
  return quirks.has("uploads-elsewhere") ? elsewhere : own;
}

export class Uploads {
  readonly #sessions = new Map<string, Session>();
  readonly #content: Content;
  readonly #traffic: Traffic;
  readonly #quirks: ReadonlySet<Quirk>;

  constructor(content: Content, traffic: Traffic, quirks: ReadonlySet<Quirk>) {
    this.#content = content;
    this.#traffic = traffic;
    this.#quirks = quirks;
  }

  get open(): number {
    return this.#sessions.size;
  }

  /** Undefined: there is nobody left to answer. */
  async handle(upload: UploadRequest): Promise<UploadAnswer | undefined> {
    const { request, method, repository, digest } = upload;
    const id = method === "POST" ? randomUUID() : upload.id;
    const session =
      method === "POST"
        ? { repository, chunks: [], hash: createHash("sha256"), size: 0 }
        : this.#sessions.get(id);
    if (session === undefined || session.repository !== repository)
      throw new Refusal(404, "BLOB_UPLOAD_UNKNOWN");
    this.#sessions.set(id, session);
    if (method === "DELETE") {
      this.#sessions.delete(id);
      return { status: 204 };
    }
    if (method === "GET" && this.#quirks.has("no-upload-status"))
      throw new Refusal(400, "NAME_INVALID", "invalid digest");
    if (method !== "GET" && hasBody(request)) {
      this.#checkChunk(upload, session);
      if (!(await this.#receive(upload, session))) {
        if (this.#quirks.has("loses-uploads")) this.#sessions.delete(id);
        return undefined;
      }
    }
    const root = this.#quirks.has("odd-upload-location") ? "/odd-uploads" : "/v2";
    const location = `${root}/${repository}/blobs/uploads/${id}?state=${session.size}`;
    const missing = this.#quirks.has("miscounts-uploads") ? 2 : 1;
    const range = `0-${Math.max(session.size - missing, 0)}`;
    if (method === "GET") return { status: 204, location, range };
    if (method === "PATCH" || digest === null) {
      if (method === "PUT") throw new Refusal(400, "DIGEST_INVALID", "the digest is missing");
      const status = method === "PATCH" && this.#quirks.has("patch-created") ? 201 : 202;
      const least = this.#quirks.has("large-chunks") && { least: 5 * MIB };
      return { status, location, range, ...least };
    }
    this.#sessions.delete(id);
    return {
      status: 201,
      location: `/v2/${repository}/blobs/${digest}`,
      digest: this.#finish(session, digest),
    };
  }

  /** Throws where a request must not bring what it is to bring. */
  #checkChunk({ request, method }: UploadRequest, session: Session): void {
    const length = Number(request.headers["content-length"] ?? NaN);
    const [start, end] = (request.headers["content-range"] ?? "").split("-").map(Number);
    const isMisplaced =
      end !== undefined &&
      (start !== session.size || (!Number.isNaN(length) && end - start + 1 !== length));
    if (isMisplaced && !this.#quirks.has("miscounts-uploads"))
      throw new Refusal(416, "BLOB_UPLOAD_INVALID");
    if (!(length <= 4 * MIB) && this.#quirks.has("small-chunks"))
      throw new Refusal(416, "UNKNOWN", "the chunk is too large");
    if (!this.#quirks.has("large-chunks") || method !== "PATCH" || end === undefined) return;
    const last = session.lastChunk ?? 5 * MIB;
    session.lastChunk = length;
    if (last < 5 * MIB) throw new Refusal(400, "SIZE_INVALID", "a chunk was too small");
  }

  /** Takes the body of a request in. False: the connection is gone, by its own doing or by a fault. */
  async #receive({ request, fault }: UploadRequest, session: Session): Promise<boolean> {
    const end = this.#traffic.begin("uploads", request);
    const limit = fault?.reset ?? fault?.stall ?? Infinity;
    let received = 0;
    try {
      for await (const chunk of request.iterator({
        destroyOnReturn: false,
      }) as AsyncIterable<Buffer>) {
        received += chunk.length;
        if (received > limit) {
          if (fault?.reset === undefined)
            await new Promise((resolve) => request.once("close", resolve));
          else request.socket.resetAndDestroy();
          return false;
        }
        session.chunks.push(chunk);
        session.size += chunk.length;
        session.hash.update(chunk);
        await this.#traffic.pass(chunk.length);
      }
      await this.#traffic.delay();
      return true;
    } catch (error) {
      if (request.destroyed) return false;
      throw error;
    } finally {
      end();
    }
  }

  #finish(session: Session, expected: string): Digest {
    const digest = parseDigest(expected);
    if (digest === undefined) throw new Refusal(400, "DIGEST_INVALID");
    const bytes = Buffer.concat(session.chunks, session.size);
    const actual =
      algorithmOf(digest) === "sha256"
        ? (`sha256:${session.hash.digest("hex")}` as const)
        : digestOf(bytes, algorithmOf(digest));
    if (actual !== digest)
      throw new Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    this.#content.addBlob(session.repository, digest, bytes);
    return digest;
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
