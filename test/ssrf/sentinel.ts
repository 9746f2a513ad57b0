// Two witnesses of what a process connects to: a listener that hears everybody who comes to this machine, and a record of every address
// that the process has asked the kernel for, by whatever library.

import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";

export interface Heard {
  /** The address that was dialled, as the listener has it: here, every address is the machine's own, or else only loopback is. */
  readonly at: string;
  bytes: number;
}

export class Sentinel implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly #servers: Server[] = [];

  /** Listens on all addresses, on a port of the system's choice and on those given. */
  static async start(...ports: readonly number[]): Promise<Sentinel> {
    const sentinel = new Sentinel();
    for (const port of [0, ...ports]) {
      const server = createServer((socket) => {
        const heard: Heard = { at: plain(socket.localAddress ?? ""), bytes: 0 };
        sentinel.heard.push(heard);
        socket
          .on("data", (chunk) => {
            heard.bytes += chunk.length;
            socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
          })
          .on("error", () => {});
      });
      await once(server.listen(port, "::"), "listening");
      sentinel.#servers.push(server);
    }
    return sentinel;
  }

  get port(): number {
    const address = this.#servers[0]?.address() as AddressInfo | undefined;
    return address?.port ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.map(async (server) => {
        server.close();
        await once(server, "close");
      }),
    );
  }
}

interface ConnectRequest {
  readonly address?: string;
}

/** Every address that this process dials over TCP from now on. */
export class Dialled implements Disposable {
  readonly #requests: ConnectRequest[] = [];
  readonly #hook = createHook({
    init: (_id, type, _trigger, resource) => {
      // Node sets the address on it right after it was made.
      if (type === "TCPCONNECTWRAP") this.#requests.push(resource as ConnectRequest);
    },
  }).enable();

  /** Those since the last call. */
  take(): readonly string[] {
    return this.#requests.splice(0).map(({ address }) => plain(address ?? "?"));
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "");
