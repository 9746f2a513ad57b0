// A network that is far away: a proxy that holds back what goes through it.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Delay extends AsyncDisposable {
  /** `host:port` */
  readonly host: string;
  readonly connections: number;
}

/** Passes connections on to `target` (`host:port`) as if it were `roundTripMs` away; opening one takes a round trip, as TCP's handshake does. */
export async function delayed(target: string, roundTripMs: number): Promise<Delay> {
  const [host = "", port = ""] = target.split(":");
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    connections++;
    const far = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    pass(near, far, roundTripMs / 2, performance.now() + roundTripMs);
    pass(far, near, roundTripMs / 2);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => open.delete(socket));
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port: own } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${own}`,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** One queue for a direction and one timer for it: timers of their own would change the order. `from`: nothing begins its way earlier. */
function pass(source: Socket, sink: Socket, delayMs: number, from = 0): void {
  const queue: { readonly due: number; readonly chunk: Buffer | undefined }[] = [];
  let isTicking = false;
  const tick = () => {
    isTicking = false;
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const wait = first.due - performance.now();
      if (wait > 0) {
        isTicking = true;
        setTimeout(tick, wait);
        return;
      }
      queue.shift();
      if (first.chunk === undefined) sink.end();
      else sink.write(first.chunk);
    }
  };
  const put = (chunk: Buffer | undefined) => {
    queue.push({ due: Math.max(performance.now(), from) + delayMs, chunk });
    if (!isTicking) tick();
  };
  source.on("data", put).on("end", () => put(undefined));
}
