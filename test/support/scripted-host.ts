// A host that speaks no better HTTP than a test tells it to: what it answers is bytes.

import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import type { TestContext } from "node:test";

export interface Asked {
  readonly method: string;
  readonly path: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Which connection of the host this is, and which request on it; from 0. */
  readonly connection: number;
  readonly nth: number;
}

export interface Script {
  /** A request's head has come. */
  readonly onHead?: (asked: Omit<Asked, "body">, socket: Socket) => void;
  /** All of it has come. */
  readonly onWhole?: (asked: Asked, socket: Socket) => void;
}

export interface ScriptedHost {
  readonly url: URL;
  readonly connections: number;
  /** Whole requests. */
  readonly asked: readonly Asked[];
  /** Those that are open now. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Closed when the test ends. */
export async function startScripted(
  t: TestContext,
  script: Script,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ScriptedHost> {
  const host = { connections: 0, asked: [] as Asked[], sockets: new Set<Socket>() };
  const serve = (socket: Socket) => converse(socket, host.connections++, script, host);
  const server = tls === undefined ? createServer(serve) : createTls(tls, serve);
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of host.sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = new URL(`${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/blob?a=b`);
  return Object.assign(host, { url });
}

function converse(
  socket: Socket,
  connection: number,
  { onHead, onWhole }: Script,
  host: { readonly asked: Asked[]; readonly sockets: Set<Socket> },
): void {
  const seen: Buffer[] = [];
  let length = 0;
  let head: Omit<Asked, "body"> | undefined;
  let nth = 0;
  /** The first of what has come, which is no more part of what comes next. */
  const take = (count: number): Buffer => {
    const all = Buffer.concat(seen.splice(0));
    if (all.length > count) seen.push(all.subarray(count));
    length -= count;
    return all.subarray(0, count);
  };
  const next = (): boolean => {
    if (head === undefined) {
      const end = Buffer.concat(seen).indexOf("\r\n\r\n");
      if (end < 0) return false;
      const text = take(end + 4).toString("latin1", 0, end);
      head = { ...parse(text), connection, nth: nth++ };
      onHead?.(head, socket);
    }
    const size = Number(head.headers.get("content-length") ?? 0);
    if (length < size) return false;
    const whole = { ...head, body: take(size) };
    head = undefined;
    host.asked.push(whole);
    onWhole?.(whole, socket);
    return true;
  };
  host.sockets.add(socket);
  socket.on("error", () => {}).on("close", () => host.sockets.delete(socket));
  socket.on("data", (chunk: Buffer) => {
    seen.push(chunk);
    length += chunk.length;
    while (next());
  });
}

function parse(text: string) {
  const [line = "", ...rows] = text.split("\r\n");
  const [method = "", path = ""] = line.split(" ");
  const pairs = rows.map((row) => {
    const colon = row.indexOf(":");
    return [row.slice(0, colon).toLowerCase(), row.slice(colon + 1).trim()] as const;
  });
  return { method, path, headers: new Map(pairs) };
}
