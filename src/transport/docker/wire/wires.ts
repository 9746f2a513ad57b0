// The wires of one identity, by origin; those that rest are used again.

import { errors } from "undici";
import type { Dial } from "../../../host/connector.ts";
import type { Answer } from "../answer.ts";
import type { Slabs } from "./slabs.ts";
import { Wire, type WireRequest } from "./wire.ts";

/** ms after which a resting wire is closed, or sooner where the other side says so. */
const IDLE_MS = 30_000;
/** So long before the other side would close it. */
const MARGIN_MS = 1_000;
/** A body comes once: it goes only over a wire that has not rested for long, since what was closed meanwhile is found out too late. */
const FRESH_MS = 2_000;
/** Resting wires of one origin; how many are used at once is the semaphore's business. */
const RESTING = 16;

interface Resting {
  readonly wire: Wire;
  /** By performance.now(). */
  readonly since: number;
}

export class Wires {
  readonly #dial: Dial;
  readonly #slabs: Slabs;
  readonly #resting = new Map<string, Resting[]>();
  readonly #open = new Map<Wire, string>();
  readonly #emptied = Promise.withResolvers<void>();
  #isClosing = false;
  #isDestroyed = false;

  constructor(dial: Dial, slabs: Slabs) {
    this.#dial = dial;
    this.#slabs = slabs;
  }

  /** As Wire.ask, over a wire that rests or a new one. */
  async exchange(request: WireRequest, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const { url, body } = request;
    const rested = this.#take(url.origin, body === undefined ? IDLE_MS : FRESH_MS);
    if (rested !== undefined) {
      try {
        return await rested.ask(request, signal);
      } catch (error) {
        if (body !== undefined || !rested.wasStale) throw error;
      }
    }
    return (await this.#connect(url, signal)).ask(request, signal);
  }

  /** Resolves once what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { wire } of [...this.#resting.values()].flat()) wire.fail(closed());
    if (this.#open.size > 0) await this.#emptied.promise;
  }

  /** Ends everything; what is still under way fails. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    for (const wire of this.#open.keys()) wire.fail(closed());
    await this.close();
  }

  async #connect(url: URL, signal: AbortSignal): Promise<Wire> {
    const owner = {
      onIdle: (wire: Wire, idleMs: number | undefined) => this.#rest(wire, idleMs),
      onClosed: (wire: Wire) => this.#forget(wire),
    };
    const wire = await Wire.open(this.#dial, url, this.#slabs, owner, signal);
    this.#open.set(wire, url.origin);
    if (this.#isDestroyed) wire.fail(closed());
    return wire;
  }

  #take(origin: string, withinMs: number): Wire | undefined {
    const resting = this.#resting.get(origin) ?? [];
    const last = resting.at(-1);
    if (last === undefined || performance.now() - last.since > withinMs) return undefined;
    resting.pop();
    return last.wire;
  }

  #rest(wire: Wire, saidMs: number | undefined): void {
    const resting = this.#resting.getOrInsert(this.#open.get(wire) ?? "", []);
    const idleMs = Math.min(IDLE_MS, (saidMs ?? Infinity) - MARGIN_MS);
    if (this.#isClosing || idleMs <= 0 || resting.length === RESTING) return wire.fail(closed());
    wire.rest(idleMs);
    resting.push({ wire, since: performance.now() });
  }

  #forget(wire: Wire): void {
    const origin = this.#open.get(wire) ?? "";
    const rest = (this.#resting.get(origin) ?? []).filter((each) => each.wire !== wire);
    if (rest.length > 0) this.#resting.set(origin, rest);
    else this.#resting.delete(origin);
    this.#open.delete(wire);
    if (this.#isClosing && this.#open.size === 0) this.#emptied.resolve();
  }
}

const closed = () => new errors.ClientDestroyedError("the connection was closed");
