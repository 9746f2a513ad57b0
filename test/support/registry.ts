// A registry in the test's own process: it keeps the rules of the OCI distribution spec, and breaks them where a test says so, by
// description (`quirks`, `fail`). Everything else is as a real one would do it: skopeo pushes to it and pulls from it.

import { once } from "node:events";
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Digest } from "../../src/image/digest.ts";
import type { TestImage, TestList } from "./images.ts";
import { Gate, type RegistryAuth } from "./registry-auth.ts";
import { serveBlob, Traffic } from "./registry-blobs.ts";
import { Content, disguised, Refusal, type StoredManifest } from "./registry-content.ts";
import {
  answerFault,
  bodyOf,
  json,
  needOf,
  refuse,
  routeOf,
  serverOptions,
  seenFrom,
  setDigest,
  setHeaders,
  type Exchange,
  Faults,
  type Fault,
  type Kind,
  type Route,
  type SeenRequest,
  type TlsFiles,
} from "./registry-http.ts";
import { Limits, type LimitOptions } from "./registry-limits.ts";
import { QuirkSet, type Quirk } from "./registry-quirks.ts";
import { answerManifest } from "./registry-manifests.ts";
import { answerReferrers, listsReferrers, ReferrerLists } from "./registry-referrers.ts";
import { checkHeaders, checkWish } from "./registry-refusals.ts";
import { answerTags } from "./registry-tags.ts";
import { answerUpload, baseOf, Uploads } from "./registry-uploads.ts";

export interface RegistryOptions {
  readonly auth?: RegistryAuth;
  /** PEM. */
  readonly tls?: TlsFiles;
  readonly quirks?: readonly Quirk[];
  /** Each blob's body, sent or received, takes at least so long. */
  readonly delayMs?: number;
  /** Of each upload. */
  readonly bytesPerSecond?: number;
  /** Default: all. */
  readonly referrersPerPage?: number;
  /** Tags, if the client does not say. Default: all. */
  readonly tagsPerPage?: number;
  /** Where it listens. Default: 127.0.0.1. */
  readonly address?: string;
  readonly limits?: LimitOptions;
}

export class TestRegistry implements AsyncDisposable {
  /** All that came to the registry itself, in order. */
  readonly requests: SeenRequest[] = [];
  /** All that came to the other origin: another host name and port, which must never see a credential. */
  readonly elsewhere: SeenRequest[] = [];
  readonly content = new Content();
  readonly limits: Limits;
  readonly #options: RegistryOptions;
  /** Its quirks, and how often it has acted by each of them. */
  readonly quirks: QuirkSet;
  readonly #servers: readonly [Server, Server];
  readonly #gate: Gate;
  readonly #uploads: Uploads;
  readonly #traffic: Traffic;
  readonly #lists: ReferrerLists;
  readonly #faults = new Faults();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.limits = new Limits(options.limits ?? {});
    this.quirks = new QuirkSet(options.quirks);
    const serve = (seen: SeenRequest[]) => (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response, seen);
    };
    const create = (seen: SeenRequest[]) =>
      options.tls === undefined
        ? createHttp(serve(seen))
        : createHttps(serverOptions(options.tls), serve(seen));
    this.#servers = [create(this.requests), create(this.elsewhere)];
    const auth = options.auth;
    this.#gate = new Gate(
      auth,
      () => {
        const realm = auth?.kind === "bearer" ? auth.realm : undefined;
        if (realm === undefined) return `${this.url}/token`;
        return realm === "elsewhere" ? `${this.elsewhereUrl}/token` : realm;
      },
      this.quirks,
    );
    this.#traffic = new Traffic(options.delayMs ?? 0, options.bytesPerSecond ?? Infinity);
    this.#lists = new ReferrerLists(this.quirks);
    this.#uploads = new Uploads(this.content, this.#traffic, this.quirks);
  }

  async listen(): Promise<this> {
    await Promise.all(
      this.#servers.map((server) => once(server.listen(0, this.#address), "listening")),
    );
    return this;
  }

  /** `host:port`, as a reference has it. */
  get host(): string {
    return `${this.#address}:${portOf(this.#servers[0])}`;
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`;
  }

  get elsewhereUrl(): string {
    return `${this.#scheme}://localhost:${portOf(this.#servers[1])}`;
  }

  /** Blob transfers going on now. */
  get inFlight(): { readonly downloads: number; readonly uploads: number } {
    return this.#traffic.inFlight;
  }

  /** The most blob transfers that ever went on at once. */
  get peak(): { readonly downloads: number; readonly uploads: number } {
    return this.#traffic.peak;
  }

  /** Upload sessions that were neither finished nor cancelled. */
  get openUploads(): number {
    return this.#uploads.open;
  }

  put(repository: string, ref: string, image: TestImage | TestList): void {
    this.content.putImage(repository, ref, image);
  }

  manifest(repository: string, ref: string): StoredManifest | undefined {
    return this.content.manifest(repository, ref);
  }

  blob(repository: string, digest: Digest): Buffer | undefined {
    return this.content.blob(repository, digest);
  }

  /** The next requests of a kind, such as `GET blobs`, `PUT manifests`, `POST uploads`, `GET token`, meet this fault. */
  fail(what: `${string} ${Kind}`, fault: Fault): void {
    this.#faults.add(what, fault);
  }

  /** Faults that no request has met yet. */
  get faultsAhead(): readonly string[] {
    return this.#faults.ahead;
  }

  /** Takes back every fault. */
  heal(): void {
    this.#faults.clear();
  }

  /** From now on every token that was given is unknown. */
  revokeTokens(): void {
    this.#gate.revoke();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#traffic.close();
    await Promise.all(
      this.#servers.map(async (server) => {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  get #address(): string {
    return this.#options.address ?? "127.0.0.1";
  }

  get #scheme(): string {
    return this.#options.tls === undefined ? "http" : "https";
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    log: SeenRequest[],
  ): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const method = request.method ?? "GET";
    const route = routeOf(url.pathname);
    const kind = route?.kind ?? "base";
    const seen = seenFrom(request, kind);
    log.push(seen);
    request.on("data", (chunk: Buffer) => (seen.bytes += chunk.length)).pause();
    response
      .on("error", () => {})
      .on("finish", () => {
        seen.status = response.statusCode;
        seen.endedAt = performance.now();
      });
    response.setHeader("Docker-Distribution-API-Version", "registry/2.0");
    try {
      if (route === undefined) throw new Refusal(404, "NOT_FOUND");
      if (log === this.requests) this.limits.check(request, response, method, route);
      if (route.kind !== "token") checkHeaders(request, this.quirks);
      const mayPass = log === this.elsewhere || this.#authorize(request, response, method, route);
      if (!mayPass) throw new Refusal(401, "UNAUTHORIZED", "authentication required");
      const fault = this.#faults.next(`${method} ${kind}`, lengthOf(request));
      const lost = fault?.loses;
      if (lost !== undefined && lost === route.ref)
        response.once("finish", () => this.content.deleteBlob(route.repository, lost));
      if (fault?.status !== undefined) return answerFault(response, fault, fault.status);
      if (fault !== undefined) setHeaders(response, fault);
      const exchange = { request, response, url, method, ...route, seen, fault };
      if (log === this.elsewhere) await this.#answerElsewhere(exchange);
      else await this.#answer(exchange);
    } catch (error) {
      if (error instanceof Refusal) refuse(response, disguised(error, method, this.quirks));
      else if (request.errored === null && !response.destroyed) response.destroy(error as Error);
    } finally {
      request.resume();
    }
  }

  #authorize(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    route: Route,
  ): boolean {
    if (route.kind === "token") return true;
    const challenge = this.#gate.challenge(
      request.headers.authorization,
      needOf(method, route, this.quirks),
    );
    if (challenge) response.setHeader("WWW-Authenticate", challenge);
    return challenge === undefined;
  }

  async #answer(exchange: Exchange): Promise<void> {
    checkWish(exchange, this.content, this.quirks);
    switch (exchange.kind) {
      case "base":
        return json(exchange.response, 200, {});
      case "token":
        return this.#answerToken(exchange);
      case "tags":
        return answerTags(
          exchange,
          this.content.tags(exchange.repository),
          this.#options.tagsPerPage,
          this.quirks,
        );
      case "manifests":
        return answerManifest(exchange, this.content, this.quirks);
      case "blobs":
        return this.#answerBlob(exchange);
      case "uploads":
        return this.#answerUpload(exchange);
      case "referrers":
        return this.#answerReferrers(exchange);
    }
  }

  /** The other origin serves what it is sent to: blobs, uploads, tokens. No credentials are asked for here. */
  async #answerElsewhere(exchange: Exchange): Promise<void> {
    if (exchange.kind === "token") return this.#answerToken(exchange);
    if (exchange.kind === "uploads") return this.#answerUpload(exchange);
    if (exchange.kind === "referrers")
      return answerFault(exchange.response, { headers: { "Retry-After": "60" } }, 429);
    if (exchange.kind !== "blobs") throw new Refusal(404, "NOT_FOUND");
    return this.#serveBlob(exchange);
  }

  async #answerToken({ request, response, method, url }: Exchange): Promise<void> {
    const form =
      method === "POST"
        ? new URLSearchParams((await bodyOf(request, 64 * 1024)).toString())
        : url.searchParams;
    json(response, 200, this.#gate.issue(method, form, request.headers.authorization));
  }

  #answerReferrers({ response, url, repository, ref }: Exchange): void {
    if (this.quirks.has("referrers-elsewhere"))
      return void response
        .writeHead(303, { Location: `${this.elsewhereUrl}${url.pathname}` })
        .end();
    const manifests = this.content.manifests(repository);
    if (manifests === undefined || !listsReferrers(this.quirks))
      throw new Refusal(404, "NOT_FOUND");
    const perPage = this.#options.referrersPerPage ?? Infinity;
    const listed = this.#lists.of(repository, ref, manifests);
    answerReferrers(response, url, listed, perPage);
  }

  async #answerBlob(exchange: Exchange): Promise<void> {
    const { response, method, repository, ref } = exchange;
    if (this.content.blob(repository, ref) === undefined) throw new Refusal(404, "BLOB_UNKNOWN");
    if (method === "DELETE") {
      this.content.deleteBlob(repository, ref);
      response.writeHead(202).end();
      return;
    }
    const at = method === "GET" ? this.#redirectOf(exchange) : undefined;
    if (at === undefined) await this.#serveBlob(exchange);
    else response.writeHead(307, { Location: at }).end();
  }

  #redirectOf({ url: { pathname } }: Exchange): string | undefined {
    if (this.quirks.has("redirect-blobs"))
      return `${this.elsewhereUrl}${pathname}?signature=s3cret`;
    if (!pathname.startsWith("/v2/") || !this.quirks.has("redirect-paths")) return undefined;
    return pathname.replace("/v2/", "/odd-blobs/");
  }

  async #serveBlob({ request, response, repository, ref, fault }: Exchange): Promise<void> {
    const bytes = this.content.blob(repository, ref);
    if (bytes === undefined) throw new Refusal(404, "BLOB_UNKNOWN");
    setDigest(response, ref, this.quirks);
    response.setHeader("ETag", `"${ref}"`);
    response.setHeader("Content-Type", "application/octet-stream");
    const unsized = this.quirks.has("no-content-length");
    const [traffic, quirks] = [this.#traffic, this.quirks];
    await serveBlob({ request, response, bytes, fault, unsized, traffic, quirks });
  }

  async #answerUpload(exchange: Exchange): Promise<void> {
    const { request, response, method, url, repository, ref, fault } = exchange;
    const mounted = this.#mounts(exchange);
    if (mounted !== undefined) {
      setDigest(response, mounted, this.quirks);
      response.writeHead(201, { Location: `/v2/${repository}/blobs/${mounted}` }).end();
      return;
    }
    const base = baseOf(this.quirks, this.url, this.elsewhereUrl);
    const answer = await this.#uploads.handle({ request, method, url, repository, id: ref, fault });
    if (answer === undefined) return;
    if (fault?.mute) return void response.destroy();
    if (answer.digest !== undefined) setDigest(response, answer.digest, this.quirks);
    answerUpload(response, answer, base);
  }

  /** The blob that is there now without its bytes having come. */
  #mounts({ request, method, url: { searchParams }, repository }: Exchange): string | undefined {
    const [from, mount] = [searchParams.get("from"), searchParams.get("mount")];
    if (method !== "POST" || from === null || mount === null || this.quirks.has("no-mount"))
      return undefined;
    const isAllowed = this.#gate.mayPull(request.headers.authorization, from);
    return isAllowed && this.content.mount(from, repository, mount) ? mount : undefined;
  }
}

/** Starts a registry on a free port of 127.0.0.1; close it with `await using`. */
export const startRegistry = (options: RegistryOptions = {}): Promise<TestRegistry> =>
  new TestRegistry(options).listen();

const lengthOf = ({ headers }: IncomingMessage): number => Number(headers["content-length"] ?? 0);

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
