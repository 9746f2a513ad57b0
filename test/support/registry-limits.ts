// A test registry that takes only so many requests, and says so as real ones do.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Limiter } from "./limiters.ts";
import { Refusal } from "./registry-content.ts";
import type { Route } from "./registry-http.ts";

export interface LimitOptions {
  /** Made for everybody; or for each Authorization, where `perCredential`. Token requests are not limited. */
  readonly limiter?: () => Limiter;
  readonly perCredential?: boolean;
  /** Seconds, of a refusal; absent: it does not say. */
  readonly retryAfter?: number;
  /** As Docker Hub: so many manifests may be read (HEAD is free), and every answer about one says how many are left. */
  readonly pulls?: { readonly limit: number; readonly windowSeconds: number };
}

/** What came in one second. */
export interface Second {
  passed: number;
  refused: number;
}

export class Limits {
  /** By seconds since the first request. */
  readonly seconds: Second[] = [];
  /** Manifests that may still be read. */
  pullsLeft: number;
  readonly #options: LimitOptions;
  readonly #limiters = new Map<string, Limiter>();
  #begun: number | undefined;

  constructor(options: LimitOptions) {
    this.#options = options;
    this.pullsLeft = options.pulls?.limit ?? Infinity;
  }

  /** Throws the refusal that a request meets. */
  check(request: IncomingMessage, response: ServerResponse, method: string, route: Route): void {
    if (route.kind === "token") return;
    const { limiter, perCredential, retryAfter, pulls } = this.#options;
    const now = performance.now();
    const who = perCredential === true ? (request.headers.authorization ?? "") : "";
    const limits = this.#limiters.get(who) ?? limiter?.() ?? (() => true);
    this.#limiters.set(who, limits);
    const passes = limits(now);
    const second = this.#second(now);
    second[passes ? "passed" : "refused"]++;
    if (!passes) {
      if (retryAfter !== undefined) response.setHeader("Retry-After", retryAfter);
      throw new Refusal(429, "TOOMANYREQUESTS", "slow down");
    }
    if (pulls === undefined || route.kind !== "manifests") return;
    if (method === "GET") this.pullsLeft--;
    response.setHeader("RateLimit-Limit", `${pulls.limit};w=${pulls.windowSeconds}`);
    const left = Math.max(this.pullsLeft, 0);
    response.setHeader("RateLimit-Remaining", `${left};w=${pulls.windowSeconds}`);
    if (this.pullsLeft < 0 && method === "GET")
      throw new Refusal(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.");
  }

  #second(now: number): Second {
    this.#begun ??= now;
    const index = Math.floor((now - this.#begun) / 1000);
    while (this.seconds.length <= index) this.seconds.push({ passed: 0, refused: 0 });
    return this.seconds[index] as Second;
  }
}
