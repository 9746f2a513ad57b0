// A slower way to a server on this machine, so that a copy takes as long as one over a real network and can be watched.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Link extends AsyncDisposable {
  /** `host:port` */
  readonly host: string;
}

/** Passes TCP connections on to a port of this machine, `bytesPerSecond` in either direction for all of them together. */
export async function startLink(port: number, bytesPerSecond: number): Promise<Link> {
  const sockets = new Set<Socket>();
  const up = pace(bytesPerSecond);
  const down = pace(bytesPerSecond);
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // What one side does to its connection is done to the other by `pour`; there is nobody else to tell.
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    void pour(client, upstream, up);
    void pour(upstream, client, down);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

type Pace = (bytes: number) => Promise<void>;

/** Resolves when so many more bytes may have passed. */
function pace(bytesPerSecond: number): Pace {
  let free = 0;
  return async (bytes) => {
    const now = performance.now();
    free = Math.max(now, free) + (bytes * 1000) / bytesPerSecond;
    if (free - now > 1) await sleep(free - now);
  };
}

/** Everything from one socket to the other, then its end; a broken one breaks the other. Never rejects. */
async function pour(from: Socket, to: Socket, take: Pace): Promise<void> {
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await take(chunk.length);
      if (!to.write(chunk)) await Promise.race([once(to, "drain"), once(to, "close")]);
    }
    to.end();
  } catch {
    to.destroy();
  }
}
