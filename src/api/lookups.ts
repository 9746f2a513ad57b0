// Requests that are answered by asking others: registries, folders. They run here and not in a worker, so they are bounded in time and
// in number: whoever asks a slow registry waits himself, and keeps nobody else from being answered.

import type { FastifyReply, FastifyRequest } from "fastify";
import { CopyError, reasonOf } from "../errors.ts";
import { RequestFault } from "./problem.ts";

/** Lookups at once: of a process, and of one tenant of it. */
const LIMITS = { process: 16, tenant: 8 } as const;
/** The longest that any lookup may take. */
export const LOOKUP_SECONDS = 60;

/** Who asks, and until when he waits. */
export interface Asker {
  readonly tenant: string;
  readonly signal: AbortSignal;
}

/** Its signal aborts when the client goes away. Fastify's own `request.signal` hears of nothing once a body was read. */
export function askerOf({ tenant }: FastifyRequest, { raw }: FastifyReply): Asker {
  const left = new AbortController();
  if (raw.destroyed) left.abort();
  raw.once("close", () => left.abort());
  return { tenant, signal: left.signal };
}

export class Lookups implements AsyncDisposable {
  readonly #running = new Map<Promise<unknown>, string>();

  /**
   * Runs a task, whose signal aborts when its time is up or the asker is gone. Throws what it throws; at once `service_unavailable` or
   * `quota_exceeded` where there are too many already, and `timeout` in time.
   */
  async run<T>(
    { tenant, signal: left }: Asker,
    task: (signal: AbortSignal) => Promise<T>,
    seconds = LOOKUP_SECONDS,
  ): Promise<T> {
    this.#checkRoom(tenant);
    const limit = new AbortController();
    const late = () => limit.abort(new CopyError("timeout", `it takes longer than ${seconds} s`));
    const timer = setTimeout(late, seconds * 1000);
    const signal = AbortSignal.any([left, limit.signal]);
    const running = task(signal);
    this.#running.set(running, tenant);
    try {
      return await running;
    } catch (error) {
      // Nobody hears this; it must not count as an unexpected failure.
      if (left.aborted) throw new RequestFault(400, "the client went away");
      throw reasonOf(error, signal);
    } finally {
      clearTimeout(timer);
      this.#running.delete(running);
    }
  }

  /** Waits for what is running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#running.keys());
  }

  #checkRoom(tenant: string): void {
    const tenants = [...this.#running.values()];
    if (tenants.length >= LIMITS.process)
      throw new CopyError("service_unavailable", "too many lookups are running already");
    if (tenants.filter((other) => other === tenant).length >= LIMITS.tenant)
      throw new CopyError("quota_exceeded", `${LIMITS.tenant} lookups are running already`);
  }
}
