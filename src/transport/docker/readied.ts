// Connections that are opened before a request asks for one, so that it need not wait a round trip, or two, or three with TLS.

import type { Socket } from "node:net";
import type { Dial, Target } from "../../host/connector.ts";

/** Whoever is to ask does so at once; what nobody has used by then is closed. */
const KEPT_MS = 5_000;

interface Ready {
  readonly origin: string;
  /** Open, or about to be. */
  readonly socket: Promise<Socket>;
}

export class Readied {
  readonly #dial: Dial;
  readonly #ready = new Set<Ready>();

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  /** Begins to open so many. What goes wrong is for the requests to find out. */
  open(target: Target, count: number): void {
    const origin = originOf(target);
    for (let i = this.#at(origin).length; i < count; i++) {
      const ready = { origin, socket: this.#dial(target) };
      this.#ready.add(ready);
      const end = () => this.#ready.delete(ready) && close(ready);
      ready.socket.then(() => setTimeout(end, KEPT_MS).unref(), end);
    }
  }

  /** One that is open or about to be, or a new one. */
  readonly dial: Dial = async (target, wish) => {
    for (const ready of this.#at(originOf(target))) {
      // Somebody else may have taken it meanwhile.
      if (!this.#ready.delete(ready)) continue;
      const opened = await ready.socket.catch(() => undefined);
      if (opened !== undefined && !opened.destroyed && opened.readable) return opened;
    }
    return this.#dial(target, wish);
  };

  close(): void {
    for (const ready of this.#ready) close(ready);
    this.#ready.clear();
  }

  #at(origin: string): readonly Ready[] {
    return [...this.#ready].filter((ready) => ready.origin === origin);
  }
}

const originOf = ({ protocol, hostname, port }: Target): string =>
  `${protocol}//${hostname}:${port}`;

const close = ({ socket }: Ready): void =>
  void socket.then(
    (opened) => opened.destroy(),
    () => {},
  );
