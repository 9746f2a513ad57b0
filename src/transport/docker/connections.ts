// The connections of one identity, and which way an exchange takes over them.

import { Agent, Pool } from "undici";
import type { Bytes } from "../../bytes.ts";
import { asConnector, type Dial } from "../../host/connector.ts";
import type { Answer, HttpRequest } from "./answer.ts";
import { Readied } from "./readied.ts";
import { exchange } from "./undici.ts";
import type { Slabs } from "./wire/slabs.ts";
import { Wires } from "./wire/wires.ts";

/** Bytes of a body from which on a wire is worth its connection. */
const LARGE = 1024 * 1024;
/** Idle connections are closed after so many ms, or before that if the registry says so. */
const IDLE_MS = 30_000;
/** Sockets to one origin; how many blobs move at once is the semaphore's business. */
const CONNECTIONS = 128;

export interface ConnectionsOptions {
  readonly dial: Dial;
  /** Undefined: everything takes the way of small bodies. */
  readonly slabs: Slabs | undefined;
  /** A body in which nothing moves for so many ms is given up. */
  readonly stallMs: number;
}

export class Connections {
  readonly #agent: Agent;
  /** One an origin. An agent that is closed forgets them, and what is under way there must end all the same when all is to. */
  readonly #pools = new Set<Pool>();
  readonly #readied: Readied;
  readonly #wires: Wires | undefined;

  constructor({ dial, slabs, stallMs }: ConnectionsOptions) {
    this.#wires = slabs && new Wires(dial, slabs);
    this.#readied = new Readied(dial);
    this.#agent = new Agent({
      allowH2: false,
      connections: CONNECTIONS,
      keepAliveTimeout: IDLE_MS,
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      connect: asConnector(this.#readied.dial),
      factory: (origin, options) => this.#pool(new Pool(origin, options)),
    });
  }

  /**
   * Sends a request; resolves with the head of the answer, whatever its status. Rejects with the body's own failure if that came first,
   * else with the network's (failures.ts), or `signal`'s reason.
   */
  request(request: HttpRequest, signal: AbortSignal): Promise<Answer> {
    const { body, ...rest } = request;
    if (this.#wires === undefined || Buffer.isBuffer(body) || bytesOf({ ...rest, body }) < LARGE)
      return exchange(this.#agent, request, signal);
    return this.#wires.exchange(body === undefined ? rest : { ...rest, body }, signal);
  }

  /** So many requests with small bodies are about to come: as many connections are opened as are not there. */
  ready(url: URL, count: number): void {
    const pool = this.#agent.stats[url.origin];
    this.#readied.open(url, count - (pool !== undefined && "free" in pool ? pool.free : 0));
  }

  /** Resolves once what is under way has ended. */
  async close(): Promise<void> {
    this.#readied.close();
    await Promise.all([this.#agent.close(), this.#wires?.close()]);
  }

  /** Ends everything; what is still under way fails. */
  async destroy(): Promise<void> {
    this.#readied.close();
    const pools = [...this.#pools].map((pool) => pool.destroy());
    await Promise.all([...pools, this.#agent.destroy(), this.#wires?.destroy()]);
  }

  #pool(opened: Pool): Pool {
    for (const pool of this.#pools) if (pool.destroyed) this.#pools.delete(pool);
    this.#pools.add(opened);
    return opened;
  }
}

/** How large a body is, as far as that is known before it comes. */
const bytesOf = ({
  body,
  headers,
  expects = 0,
}: Pick<HttpRequest, "headers" | "expects"> & { readonly body: Bytes | undefined }): number =>
  body === undefined ? expects : Number(headers["content-length"] ?? 0);
