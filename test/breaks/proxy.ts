// A network that breaks: it passes bytes on between clients and a registry, and cuts the connection after so many of them.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** How a connection ends: with a reset that loses what is on its way, in good order but too early, or never, while nothing moves any more. */
export type Cut = "reset" | "end" | "stall";

export interface Break {
  /** After so many more bytes have passed, over whatever connections. */
  readonly after: number;
  readonly cut: Cut;
}

export interface BreakingProxy extends AsyncDisposable {
  /** `host:port` */
  readonly host: string;
  readonly port: number;
  /** These come next, in their order, and no others. */
  readonly plan: (breaks: readonly Break[]) => void;
  /** Breaks that have happened. */
  readonly breaks: number;
  /** Bytes that were passed on, towards the client and towards the registry. */
  readonly passed: { readonly down: number; readonly up: number };
}

/** `way`: whose bytes are counted for the breaks. */
export async function breakingProxy(target: string, way: "down" | "up"): Promise<BreakingProxy> {
  const passed = { down: 0, up: 0 };
  const open = new Set<Socket>();
  let done = 0;
  let breaks: readonly Break[] = [];
  let left = Infinity;

  const plan = (next: readonly Break[]) => {
    breaks = next;
    left = next[0]?.after ?? Infinity;
  };

  /** Passes on what comes, at the pace of whoever takes it. */
  const pump = (from: Socket, to: Socket, direction: "down" | "up") => {
    let isOver = false;
    from.on("data", (chunk: Buffer) => {
      if (isOver) return;
      const counts = direction === way;
      const part = counts ? chunk.subarray(0, left) : chunk;
      passed[direction] += part.length;
      if (counts) left -= part.length;
      const next = counts && left === 0 ? breaks[0] : undefined;
      if (next === undefined) {
        if (!to.write(part)) from.pause();
        return;
      }
      done++;
      plan(breaks.slice(1));
      isOver = true;
      if (next.cut === "stall") from.pause();
      else to.write(part, () => cut(next.cut, from, to));
    });
    to.on("drain", () => isOver || from.resume());
    from.on("end", () => to.end());
    from.on("close", () => to.destroy());
  };

  const server = createServer({ allowHalfOpen: true }, (near) => {
    const [hostname = "", port = ""] = target.split(":");
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const socket of [near, far]) {
      open.add(socket.on("error", () => {}).setNoDelay(true));
      socket.once("close", () => open.delete(socket));
    }
    pump(near, far, "up");
    pump(far, near, "down");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    port,
    plan,
    get breaks() {
      return done;
    },
    passed,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function cut(how: Cut, from: Socket, to: Socket): void {
  if (how === "reset") {
    to.resetAndDestroy();
    from.resetAndDestroy();
  } else {
    to.destroySoon();
    from.destroy();
  }
}
