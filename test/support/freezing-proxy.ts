// A network that stops: for tests of what a process does that cannot reach Redis, while its connections stay open.

import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";

/** Passes bytes on between its clients and a Unix socket or a port, until it is frozen: then they stay where they are. */
export async function freezingProxy(target: string) {
  const nears: Socket[] = [];
  const fars: Socket[] = [];
  const far = target.startsWith("/")
    ? { path: target }
    : { port: Number(new URL(target).port), host: new URL(target).hostname };
  const server = createServer((near) => {
    const other = dial(far);
    near.pipe(other);
    other.pipe(near);
    nears.push(near.on("error", () => {}));
    fars.push(other.on("error", () => {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const database = target.startsWith("/") ? "" : new URL(target).pathname;
  return {
    url: `redis://127.0.0.1:${port}${database}`,
    freeze: () => [...nears, ...fars].forEach((socket) => socket.unpipe().pause()),
    /** Keeps the answers back until `answer` is called. */
    silence: () => fars.forEach((socket) => socket.unpipe().pause()),
    answer: () => fars.forEach((socket, index) => socket.pipe(nears[index]!)),
    [Symbol.asyncDispose]: async () => {
      server.close();
      [...nears, ...fars].forEach((socket) => socket.destroy());
    },
  };
}
