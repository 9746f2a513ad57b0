// A registry as one side of one job sees it: requests with the right Authorization, redirects by hand, retries where a request can be
// sent again, and errors in the contract's words.

import { peek, type Bytes } from "../../bytes.ts";
import { CopyError } from "../../errors.ts";
import type { AccessContext } from "../access.ts";
import { Answer, hasBlob, type HttpRequest, type Reply } from "./answer.ts";
import { Authenticator } from "./auth/auth.ts";
import { askAuthorized } from "./auth/authorized.ts";
import { Budget } from "./pace/budget.ts";
import type { Connections } from "./connections.ts";
import { ERROR_LIMIT, networkFailure, type Blame } from "./failures.ts";
import { follow, FORBIDDEN, nextAddress } from "./redirects.ts";
import type { Timing } from "./registries.ts";
import { sendAgain } from "./retry.ts";
import type { Scheme } from "./schemes.ts";

export interface Outgoing extends Pick<HttpRequest, "method" | "expects"> {
  /** A path of the registry, or the address of an upload. */
  readonly to: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** What a token must allow. */
  readonly scopes: readonly string[];
  readonly phase: Blame["phase"];
  readonly digest?: string;
}

type About = Pick<Outgoing, "phase" | "digest">;
type Addressed = Outgoing & { readonly url: URL };

export class RegistryClient {
  /** `host[:port]`, as references have it. */
  readonly registry: string;
  readonly timing: Timing;
  readonly #access: AccessContext;
  readonly #host: string;
  readonly #auth: Authenticator;
  readonly #budget: Budget;
  /** Of the registry; it stays what it was at the first request. */
  #origin: string | undefined;

  constructor(registry: string, access: AccessContext) {
    this.registry = registry;
    this.timing = access.registries.timing;
    this.#access = access;
    this.#host = registry === "docker.io" ? "registry-1.docker.io" : registry;
    this.#auth = new Authenticator(registry, access);
    this.#budget = new Budget(access.registries.pace, this.#host, this.#auth.fingerprint);
  }

  /**
   * Sends a request whose body, if any, can be sent again. Resolves with whatever status came, the body read up to `limit` bytes.
   * Throws `tls_failed`, `registry_unavailable`, `transfer_stalled` or what the token service refuses.
   */
  async send(out: Outgoing, signal: AbortSignal, limit = ERROR_LIMIT): Promise<Reply> {
    const once = () => this.#reply(out, limit, signal);
    return this.#blamed(out, () => sendAgain(once, this.timing.retryMs, signal));
  }

  /** Sends a request once, whatever comes of it. */
  async sendOnce(out: Outgoing, signal: AbortSignal): Promise<Reply> {
    return this.#blamed(out, () => this.#reply(out, ERROR_LIMIT, signal));
  }

  /** Has so many connections ready for requests that come next; what fails is theirs to tell. */
  approach(count: number, signal: AbortSignal): void {
    const ready = (url: URL) => this.#connections(url).ready(url, count);
    void Promise.allSettled([this.#resolve({ to: "/", phase: "connect" }, signal).then(ready)]);
  }

  /**
   * GET of a body that is poured, not read, sent `again` like others or `once`. Throws as `send`, and the refusal where the status is
   * neither 200 nor 206.
   */
  async download(out: Outgoing, sends: "once" | "again", signal: AbortSignal): Promise<Answer> {
    const once = async () => {
      const answer = await this.#open(out, signal);
      return this.#heard(hasBlob(answer) ? answer : await answer.read(ERROR_LIMIT, signal));
    };
    const answer = await this.#blamed(out, () =>
      sends === "once" ? once() : sendAgain(once, this.timing.retryMs, signal),
    );
    if (answer instanceof Answer) return answer;
    throw this.refusal(answer, out);
  }

  /**
   * Sends bytes that come only once: no retry, no second try with another token. They have ended when this returns or throws. Throws the
   * content's own failure if that came first, else as `send`.
   */
  async upload(out: Outgoing, body: Bytes, signal: AbortSignal): Promise<Reply> {
    return this.#blamed(out, async () => {
      const url = await this.#resolve(out, signal);
      // A request is not on its way before its first bytes are: a token that was chosen earlier would age while its source is asked.
      await using begun = await peek(body, 1, signal);
      const used = await this.#authorize({ ...out, url }, signal);
      const answer = await this.#dispatch({ ...out, url, body: begun.content }, used, signal);
      const reply = await this.#heard(await answer.read(ERROR_LIMIT, signal));
      if (reply.status !== 401) return reply;
      const other = await this.#renewed({ ...out, url }, used, reply, signal);
      return { ...reply, hasOtherToken: other !== used };
    });
  }

  /** The error for an answer that is not the one hoped for. */
  refusal(reply: Reply, out: Pick<Outgoing, "phase" | "digest" | "scopes">): CopyError {
    return this.#auth.refusal(reply, this.blame(out), out.scopes);
  }

  blame({ phase, digest }: About): Blame {
    return {
      side: this.#access.side,
      registry: this.registry,
      phase,
      ...(digest !== undefined && { digest }),
    };
  }

  /** Whether the registry itself is there, and not somebody that it sent us to. */
  owns(url: URL): boolean {
    return url.origin === this.#origin;
  }

  async #reply(out: Outgoing, limit: number, signal: AbortSignal): Promise<Reply> {
    return this.#heard(await (await this.#open(out, signal)).read(limit, signal));
  }

  /** What others say, to whom the registry has sent us, is no word on its own limits. */
  async #heard<T extends Answer | Reply>(answer: T): Promise<T> {
    return this.owns(answer.url) ? this.#budget.heard(answer) : answer;
  }

  async #blamed<T>(out: Outgoing, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const failure = networkFailure(error, this.blame(out));
      // Next time it may speak another scheme.
      if (failure !== error) this.#access.registries.schemes.forget(this.#host);
      throw failure;
    }
  }

  /** Follows redirects of GET and HEAD. Nothing but the registry's own origin ever sees the Authorization. */
  async #open(out: Outgoing, signal: AbortSignal): Promise<Answer> {
    const first = await this.#resolve(out, signal);
    const ask = (url: URL, isSent: boolean) =>
      isSent
        ? this.#dispatch({ ...out, url }, undefined, signal)
        : this.#ask({ ...out, url }, signal);
    if (out.method !== "GET" && out.method !== "HEAD") return ask(first, false);
    return follow(first, ask, (what) => this.#broken(out, what), signal);
  }

  /** An address that the registry names. Throws where it must not be contacted. */
  nextAddress(from: URL, location: string | undefined, out: About): URL {
    const url = nextAddress(from, location);
    if (url === undefined) throw this.#broken(out, FORBIDDEN);
    return url;
  }

  async #ask(request: Addressed, signal: AbortSignal): Promise<Answer> {
    return askAuthorized(
      {
        authorize: () => this.#authorize(request, signal),
        send: (authorization) => this.#dispatch(request, authorization, signal),
        renew: (used, refused) => this.#renewed(request, used, refused, signal),
      },
      signal,
    );
  }

  async #authorize(request: Addressed, signal: AbortSignal): Promise<string | undefined> {
    const { url, scopes } = request;
    if (!this.owns(url)) return undefined;
    // Docker Hub counts no HEAD, and tells of the count with it.
    const count = async () =>
      (await this.#ask({ ...request, method: "HEAD" }, signal)).read(0, signal);
    const isPull = request.method === "GET" && request.phase === "manifest";
    // In this order: a token may lapse while a turn is waited for.
    await this.#budget.turn(this.blame(request), isPull ? count : undefined, signal);
    return this.#auth.authorize(url.origin, scopes, signal);
  }

  /** The Authorization to answer a 401 with; the one that was used if there is no other. */
  async #renewed(
    request: Addressed,
    used: string | undefined,
    refused: Pick<Reply, "headers">,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { url, scopes } = request;
    if (!this.owns(url)) return used;
    // Some registries say only there how they want to be asked (the old Google Container Registry).
    if (!this.#auth.learn(url.origin, scopes, used, refused))
      this.#auth.learnFromPing(url.origin, await this.#ping(url.origin, signal));
    return this.#authorize(request, signal);
  }

  async #ping(origin: string, signal: AbortSignal): Promise<Reply> {
    const ping = { method: "GET", url: new URL("/v2/", origin) } as const;
    return (await this.#dispatch(ping, undefined, signal)).read(ERROR_LIMIT, signal);
  }

  async #dispatch(
    request: Omit<HttpRequest, "headers"> & Pick<Outgoing, "headers">,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const headers = {
      "user-agent": "transship",
      ...request.headers,
      ...(authorization !== undefined && { authorization }),
    };
    const streams = request.body !== undefined && !Buffer.isBuffer(request.body);
    const answerMs = streams ? this.timing.storeMs : this.timing.stallMs;
    const out = { ...request, headers, answerMs, stall: this.timing };
    return this.#connections(request.url).request(out, signal);
  }

  #connections(url: URL): Connections {
    return this.#access.registries.connections(this.#access, url);
  }

  /** What an earlier attempt has left may have gone without TLS, and is held to the same rule as what the registry names now. */
  async #resolve(out: Pick<Outgoing, "to" | "phase">, signal: AbortSignal): Promise<URL> {
    this.#origin ??= new URL(`${await this.#scheme(signal)}//${this.#host}`).origin;
    return this.nextAddress(new URL(this.#origin), String(out.to), out);
  }

  async #scheme(signal: AbortSignal): Promise<Scheme> {
    const { tlsVerify, registries } = this.#access;
    if (tlsVerify !== false) return "https:";
    return registries.schemes.of(this.#host, () => this.#askTls(), signal);
  }

  async #askTls(): Promise<void> {
    const origin = `https://${this.#host}`;
    // What others wait for as well is not one's own to give up; connections that are closed end it.
    const reply = await this.#ping(origin, new AbortController().signal);
    if (reply.status === 401) this.#auth.learn(origin, [], undefined, reply);
  }

  #broken(out: About, what: string): CopyError {
    return new CopyError("registry_unavailable", `${this.registry} ${what}`, this.blame(out));
  }
}
