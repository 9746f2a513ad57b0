// The connections of one identity, and which way an exchange takes over them.

import type { Agent } from "undici";
import type { Answer, HttpRequest } from "./answer.ts";
import { exchange } from "./undici.ts";

export class Connections {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /**
   * Sends a request; resolves with the head of the answer, whatever its status. Rejects with the body's own failure if that came first,
   * else with the network's (failures.ts), or `signal`'s reason.
   */
  request(request: HttpRequest, signal: AbortSignal): Promise<Answer> {
    return exchange(this.#agent, request, signal);
  }

  /** Resolves once what is under way has ended. */
  close(): Promise<void> {
    return this.#agent.close();
  }

  /** Ends everything; what is still under way fails. */
  destroy(): Promise<void> {
    return this.#agent.destroy();
  }
}
