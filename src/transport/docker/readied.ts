// Connections that are opened before a request asks for one, so that it need not wait a round trip, or two, or three with TLS.

import type { Socket } from "node:net";
import type { Dial, Target } from "../../host/connector.ts";

/** Whoever is to ask does so at once; what nobody has used by then is closed. */
const KEPT_MS = 5_000;

export class Readied {
  readonly #dial: Dial;
  /** By origin. */
  readonly #sockets = new Map<string, Set<Promise<Socket>>>();

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  /** Begins to open so many. What goes wrong is for the requests to find out. */
  open(target: Target, count: number): void {
    const sockets = this.#sockets.getOrInsertComputed(nameOf(target), () => new Set());
    for (let i = sockets.size; i < count; i++) {
      const socket = this.#dial(target);
      sockets.add(socket);
      const end = () => sockets.delete(socket) && close(socket);
      socket.then(() => setTimeout(end, KEPT_MS).unref(), end);
    }
  }

  /** One that is open or about to be, or a new one. */
  readonly dial: Dial = async (target, wish) => {
    const sockets = this.#sockets.get(nameOf(target)) ?? new Set();
    for (const socket of sockets) {
      sockets.delete(socket);
      const opened = await socket.catch(() => undefined);
      if (opened !== undefined && !opened.destroyed && opened.readable) return opened;
    }
    return this.#dial(target, wish);
  };

  close(): void {
    for (const sockets of this.#sockets.values()) for (const socket of sockets) close(socket);
    this.#sockets.clear();
  }
}

const nameOf = ({ protocol, hostname, port }: Target): string => `${protocol}//${hostname}:${port}`;

const close = (socket: Promise<Socket>): void =>
  void socket.then(
    (opened) => opened.destroy(),
    () => {},
  );
