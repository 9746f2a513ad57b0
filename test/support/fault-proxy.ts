// Somebody between a client and a registry who does, once or again and again, what networks and proxies do: byte-exact, and the same
// each time. It stands before any registry, and counts what comes.

import { once } from "node:events";
import { Agent, request as ask, type IncomingMessage } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Scene, type Fault, type Naming, type Script } from "./fault-script.ts";
import { formatHead, RequestReader, type RawAnswer, type RequestHead } from "./raw-http.ts";

export interface Seen extends RequestHead, Naming {}

export class FaultProxy implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Hears of each request before anybody else does, and may have it meet a fault. */
  onRequest: () => Fault | undefined = () => undefined;
  /** Hears that a request has met a "dial". */
  onLost: () => void = () => {};
  /** Whether a connection is taken that somebody has dialled. */
  isOpen: () => boolean = () => true;
  readonly #upstream: string;
  readonly #name: (head: RequestHead) => Naming;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #scenes: readonly Scene[] = [];

  constructor(upstream: string, name: (head: RequestHead) => Naming) {
    this.#upstream = upstream;
    this.#name = name;
    this.#server = createServer((socket) => {
      if (!this.isOpen()) return void socket.on("error", () => {}).resetAndDestroy();
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  async listen(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that met the fault of the first script. */
  get met(): number {
    return this.#scenes[0]?.met ?? 0;
  }

  /** Begins anew: nothing was seen, and this is what will happen. A request meets one fault at most, of the first script that has one. */
  play(...scripts: readonly Script[]): void {
    this.#scenes = scripts.map((script) => new Scene(script));
    this.seen.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(client: Socket): Promise<void> {
    const reader = new RequestReader(client);
    for (;;) {
      const head = await reader.head();
      if (head === undefined) return reset(client);
      const fault = this.#faultFor(head);
      if (!(await this.#exchange(client, reader, head, fault))) break;
    }
    // Nobody listens any more, but that the client hangs up is heard.
    await reader.end();
    client.resume();
  }

  #faultFor(head: RequestHead): Fault | undefined {
    const naming = this.#name(head);
    this.seen.push({ ...head, ...naming });
    return this.#scenes.reduce<Fault | undefined>(
      (fault, scene) => fault ?? scene.faultFor(naming, `${this.seen.length}`),
      this.onRequest(),
    );
  }

  /** False: the connection is not used any more. */
  async #exchange(
    client: Socket,
    reader: RequestReader,
    head: RequestHead,
    fault: Fault | undefined,
  ): Promise<boolean> {
    if (fault?.type === "status" && fault.early) {
      client.end(Buffer.concat([formatHead(answerOf(fault)), answerOf(fault).body]));
      return false;
    }
    if (fault?.type === "upload") {
      const length = Number(head.headers.get("content-length") ?? 2);
      await reader.body(head, Math.max(1, length >> 1));
      return stop(client, fault.how);
    }
    const body = await reader.body(head);
    if (body === undefined) return stop(client, "reset");
    if (fault?.type === "break" && fault.at === "request") return stop(client, fault.how);
    if (fault?.type === "dial") {
      this.onLost();
      for (const socket of this.#sockets) reset(socket);
      return false;
    }
    const local = fault && localAnswer(fault, head);
    const ignoresRange = fault?.type === "range" && fault.rest === "whole";
    const answer = local ?? (await this.#ask(ignoresRange ? withoutRange(head) : head, body));
    return fault === undefined || local !== undefined
      ? write(client, formatHead(answer), answer.body)
      : spoil(client, answer, fault, head.headers.has("range"));
  }

  async #ask({ method, path, headers }: RequestHead, body: Buffer): Promise<RawAnswer> {
    const { hostname: host, port } = new URL(`http://${this.#upstream}`);
    const sent = Object.fromEntries([...headers].filter(([name]) => !FRAMING.has(name)));
    const length = METHODS_WITH_BODY.has(method) ? { "content-length": `${body.length}` } : {};
    const request = ask({
      host,
      port,
      method,
      path,
      agent: this.#agent,
      headers: { ...sent, ...length },
    });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const { rawHeaders, headers: known, statusCode = 0 } = response;
    const pairs = rawHeaders.flatMap((name, i): [string, string][] =>
      i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ""]] : [],
    );
    return {
      status: statusCode,
      headers: pairs.filter(([name]) => !FRAMING.has(name.toLowerCase())),
      body: Buffer.concat(chunks),
      ...(method === "HEAD" && { length: known["content-length"] ?? "0" }),
    };
  }
}

export const startFaultProxy = (
  upstream: string,
  name: (head: RequestHead) => Naming,
): Promise<FaultProxy> => new FaultProxy(upstream, name).listen();

const withoutRange = (head: RequestHead): RequestHead => ({
  ...head,
  headers: new Map([...head.headers].filter(([name]) => name !== "range")),
});

const FRAMING: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
]);
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** What has hung up is closed: its handle would stay open after a reset. */
function reset(client: Socket): void {
  const isOpen = !client.readableEnded && !client.writableEnded && !client.destroyed;
  if (isOpen) client.resetAndDestroy();
  else client.destroy();
}

function stop(client: Socket, how: "reset" | "end" | "stall"): false {
  if (how === "reset") reset(client);
  if (how === "end") client.end();
  return false;
}

const write = (client: Socket, ...parts: readonly Buffer[]): Promise<boolean> =>
  new Promise((resolve) => client.write(Buffer.concat(parts), (error) => resolve(!error)));

const answerOf = ({ status, code = "UNKNOWN", headers = {} }: Fault & { type: "status" }) => ({
  status,
  headers: [["Content-Type", "application/json"], ...Object.entries(headers)] as [string, string][],
  body: Buffer.from(JSON.stringify({ errors: [{ code, message: "told to fail" }] })),
});

/** What is answered without the registry; a HEAD's answer has no body. */
function localAnswer(fault: Fault, { method, path, headers }: RequestHead): RawAnswer | undefined {
  if (fault.type === "redirect")
    return { status: 307, headers: [["Location", path]], body: Buffer.alloc(0) };
  if (fault.type === "range" && fault.rest === "refused" && headers.has("range"))
    return { status: 416, headers: [], body: Buffer.alloc(0) };
  if (fault.type !== "status") return undefined;
  const answer = answerOf(fault);
  return method === "HEAD" ? { ...answer, body: Buffer.alloc(0), length: "0" } : answer;
}

/** Writes an answer as the fault has it. False: the connection is not used any more. */
async function spoil(
  client: Socket,
  answer: RawAnswer,
  fault: Fault,
  isRest: boolean,
): Promise<boolean> {
  const { body } = answer;
  const head = formatHead(answer);
  const middle = body.length >> 1;
  switch (fault.type) {
    case "break":
      if (fault.at === "head") await write(client, head.subarray(0, head.length >> 1));
      if (fault.at === "body") await write(client, head, body.subarray(0, middle));
      return stop(client, fault.how);
    case "drip":
      await write(client, head);
      for (let i = 0; i < body.length && !client.destroyed; i++) {
        await write(client, body.subarray(i, i + 1));
        await sleep(fault.ms);
      }
      return true;
    case "flip": {
      const flipped = Buffer.from(body);
      if (body.length > 0) flipped.writeUInt8((body[middle] ?? 0) ^ 1, middle);
      return write(client, head, flipped);
    }
    case "length":
      await write(
        client,
        formatHead(answer, [["Content-Length", `${body.length + fault.by}`]]),
        body,
      );
      return fault.by > 0 ? stop(client, "end") : true;
    case "two-lengths": {
      const lengths = [body.length, body.length + 1].map((n): [string, string] => [
        "Content-Length",
        `${n}`,
      ]);
      return write(client, formatHead(answer, lengths), body);
    }
    case "length-and-chunks": {
      const both: [string, string][] = [["Content-Length", `${body.length}`], CHUNKED];
      return write(client, formatHead(answer, both), chunk(body), Buffer.from("0\r\n\r\n"));
    }
    case "endless-chunks":
      await write(client, formatHead(answer, [CHUNKED]), chunk(body));
      return stop(client, "end");
    case "extra":
      return write(client, head, body, POISON);
    case "gzip": {
      const packed = gzipSync(body);
      const headers = [...answer.headers, ["Content-Encoding", "gzip"] as const];
      return write(client, formatHead({ ...answer, headers, body: packed }), packed);
    }
    case "range":
      return isRest ? spoilRest(client, answer, fault.rest) : spoil(client, answer, BREAK, false);
    default:
      throw new Error(`${fault.type} is no fault of an answer`);
  }
}

const BREAK: Fault = { type: "break", how: "reset", at: "body" };

/** What comes where the rest of a body was asked for. */
async function spoilRest(
  client: Socket,
  answer: RawAnswer,
  rest: (Fault & { type: "range" })["rest"],
): Promise<boolean> {
  const { body } = answer;
  const range = answer.headers.find(([name]) => name.toLowerCase() === "content-range")?.[1];
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range ?? "") ?? [];
  if (first === undefined) return write(client, formatHead(answer), body);
  const wrong =
    rest === "shifted"
      ? `bytes ${Number(first) + 1}-${last}/${total}`
      : `bytes ${first}-${last}/${Number(total) + 1}`;
  const others = answer.headers.filter(([name]) => name.toLowerCase() !== "content-range");
  return write(
    client,
    formatHead({ ...answer, headers: [...others, ["Content-Range", wrong]] }),
    body,
  );
}

const CHUNKED: [string, string] = ["Transfer-Encoding", "chunked"];
const chunk = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")]);
/** Whoever takes this for the answer to the next request is caught by its digest, and by its status. */
const POISON = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"token":"poisoned"}',
);
