// Upload sessions of the test registry: POST, then PATCH as often as one likes, then PUT; or all in one.

import { createHash, randomUUID, type Hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../../src/image/digest.ts";
import type { BlobFault, Traffic } from "./registry-blobs.ts";
import { Refusal, type Content } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

interface Session {
  readonly repository: string;
  chunks: Buffer[];
  readonly hash: Hash;
  size: number;
  /** Bytes of the chunk that came last. */
  lastChunk?: number;
  /** What was told first of how much is there. */
  told?: number;
  /** What the addresses of it that were given out say: one of them must come back. */
  readonly states: Set<string>;
}

interface UploadRequest {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly url: URL;
  readonly repository: string;
  /** "" for the POST that begins one. */
  readonly id: string;
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
  if (quirks.has("relative-location") || quirks.has("bare-location")) return "";
  if (quirks.has("schemeless-location")) return own.replace(/^https?:/, "");
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
    const { request, method, repository, url } = upload;
    const id = method === "POST" ? randomUUID() : upload.id;
    const session = method === "POST" ? begun(repository) : this.#sessionOf(upload);
    this.#sessions.set(id, session);
    if (method === "DELETE") {
      this.#sessions.delete(id);
      return { status: 204 };
    }
    if (method === "GET" && this.#quirks.has("no-upload-status"))
      throw new Refusal(400, "NAME_INVALID", "invalid digest");
    if (method !== "GET" && hasBody(request)) {
      this.#checkBody(upload, session);
      if (!(await this.#receive(upload, session))) {
        if (this.#quirks.has("loses-uploads")) this.#sessions.delete(id);
        return undefined;
      }
    }
    const digest = url.searchParams.get("digest");
    const goesOn = { location: this.#locationOf(id, session), range: this.#rangeOf(session) };
    if (method === "GET") return { status: 204, ...goesOn };
    if (method === "PATCH" || digest === null) {
      if (method === "PUT") throw new Refusal(400, "DIGEST_INVALID", "the digest is missing");
      const status = method === "PATCH" && this.#quirks.has("patch-created") ? 201 : 202;
      return { status, ...goesOn, ...(this.#quirks.has("large-chunks") && { least: 5 * MIB }) };
    }
    this.#sessions.delete(id);
    const stored = this.#finish(session, digest);
    return { status: 201, location: `/v2/${repository}/blobs/${digest}`, digest: stored };
  }

  #sessionOf({ id, repository, url }: UploadRequest): Session {
    const session = this.#sessions.get(id);
    if (session?.repository !== repository) throw new Refusal(404, "BLOB_UPLOAD_UNKNOWN");
    if (!session.states.has(url.searchParams.get("_state") ?? ""))
      throw new Refusal(404, "BLOB_UPLOAD_INVALID", "the state is not one that was given out");
    return session;
  }

  /** Where it goes on. The state is to come back, whatever is in it. */
  #locationOf(id: string, { repository, states, size }: Session): string {
    const padding = this.#quirks.has("long-location") ? "~".repeat(3 * 1024) : "";
    const state = `${size}/&?%${padding}==`;
    states.add(state);
    const query = `_state=${encodeURIComponent(state)}`;
    if (this.#quirks.has("bare-location")) return `${id}?${query}`;
    const root = this.#quirks.has("odd-upload-location") ? "/odd-uploads" : "/v2";
    return `${root}/${repository}/blobs/uploads/${id}?${query}`;
  }

  #rangeOf(session: Session): string {
    const isLate =
      session.told === undefined && session.size > MIB && this.#quirks.has("late-range");
    if (session.size > 0) session.told ??= session.size;
    if (isLate) return `0-${session.size - MIB - 1}`;
    if (session.size > 0 && this.#quirks.has("hides-progress")) return "0-0";
    const size = this.#quirks.has("stale-range") ? (session.told ?? 0) : session.size;
    const missing = this.#quirks.has("miscounts-uploads") ? 2 : 1;
    return `0-${Math.max(size - missing, 0)}`;
  }

  /** Throws where a request must not bring what it is to bring. */
  #checkBody(upload: UploadRequest, session: Session): void {
    const { request, method } = upload;
    const length = Number(request.headers["content-length"] ?? NaN);
    if (length > 8 * MIB && this.#quirks.has("no-large-bodies"))
      throw new Refusal(413, "BLOB_UPLOAD_INVALID", "the blob is too large for one request");
    if (!(length <= 4 * MIB) && this.#quirks.has("small-bodies"))
      throw new Refusal(416, "UNKNOWN", "the chunk is too large");
    if (method === "PUT" && this.#quirks.has("wants-patch")) throw new Refusal(404, "BLOB_UNKNOWN");
    if (request.headers["content-range"] !== undefined) this.#checkChunk(upload, session, length);
    if (session.size > 0 && this.#quirks.has("keeps-last-chunk")) session.chunks = [];
  }

  #checkChunk({ request, method }: UploadRequest, session: Session, length: number): void {
    if (this.#quirks.has("no-chunks")) throw new Refusal(405, "UNSUPPORTED", "no chunked uploads");
    const [start, end = NaN] = (request.headers["content-range"] ?? "").split("-").map(Number);
    const isMisplaced = start !== session.size || !(end - start + 1 === length);
    if (isMisplaced && !this.#quirks.has("miscounts-uploads"))
      throw new Refusal(416, "BLOB_UPLOAD_INVALID");
    if (length > 4 * MIB && this.#quirks.has("small-chunks"))
      throw new Refusal(416, "UNKNOWN", "the request body is too large");
    if (method !== "PATCH" || !this.#quirks.has("large-chunks")) return;
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
    const bytes = Buffer.concat(session.chunks);
    const actual =
      algorithmOf(digest) === "sha256"
        ? (`sha256:${session.hash.digest("hex")}` as const)
        : digestOf(bytes, algorithmOf(digest));
    const isChecked = bytes.length === session.size || !this.#quirks.has("keeps-last-chunk");
    if (actual !== digest && isChecked)
      throw new Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    this.#content.addBlob(session.repository, digest, bytes);
    return digest;
  }
}

const begun = (repository: string): Session => ({
  repository,
  chunks: [],
  hash: createHash("sha256"),
  size: 0,
  states: new Set(),
});

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
