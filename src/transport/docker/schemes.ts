// Whether a host speaks TLS, where a client does not care.

import { speaksNoTls } from "./failures.ts";
import { raceAbort } from "./race-abort.ts";
import { Recent } from "../../recent.ts";

export type Scheme = "http:" | "https:";

/** Hosts that are remembered: clients choose them. */
const HOSTS = 1_000;

/** By host, for access without TLS verification only: with it, plain HTTP is no answer to TLS that is not spoken. */
export class Schemes {
  readonly #found = new Recent<Promise<Scheme>>(HOSTS);

  /**
   * The scheme of a host. `askTls` asks it over TLS for the first who wants to know, and for all who want to know meanwhile; plain HTTP
   * is not asked, the request itself will tell. Rejects as `askTls` does where the reason is another one, and with the signal's.
   */
  of(host: string, askTls: () => Promise<void>, signal: AbortSignal): Promise<Scheme> {
    const known = this.#found.get(host);
    if (known !== undefined) return raceAbort(known, signal);
    const found = askTls().then(
      (): Scheme => "https:",
      (error: unknown): Scheme => {
        if (speaksNoTls(error)) return "http:";
        throw error;
      },
    );
    void this.#found.set(host, found);
    found.catch(() => this.forget(host));
    return raceAbort(found, signal);
  }

  /** It may speak another one the next time. */
  forget(host: string): void {
    this.#found.delete(host);
  }
}
