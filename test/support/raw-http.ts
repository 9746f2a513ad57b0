// HTTP/1.1 messages by the byte, as somebody between client and registry has them.

import type { Socket } from "node:net";

export interface RequestHead {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads the requests of one connection, one after the other. */
export class RequestReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  /** Reads no more; the socket stays as it is. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** The next head; undefined: the client sends nothing more, or no HTTP. */
  async head(): Promise<RequestHead | undefined> {
    let end = -1;
    while ((end = this.#left.indexOf("\r\n\r\n")) < 0) {
      // A client that greets with TLS would be waited for without an end.
      if (this.#left[0] === 0x16 || !(await this.#more())) return undefined;
    }
    const [first = "", ...lines] = this.#take(end + 4)
      .toString("latin1", 0, end)
      .split("\r\n");
    const [method = "", path = ""] = first.split(" ");
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    return { method, path, headers: new Map(headers) };
  }

  /** The body, without its framing; at most `limit` bytes of it, if that is given. Undefined: it broke off. */
  async body({ headers }: RequestHead, limit = Infinity): Promise<Buffer | undefined> {
    if (headers.get("transfer-encoding") !== undefined) return this.#chunked(limit);
    const length = Number(headers.get("content-length") ?? 0);
    return this.#exactly(Math.min(length, limit));
  }

  async #chunked(limit: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const line = await this.#line();
      const size = line === undefined ? NaN : Number.parseInt(line, 16);
      if (Number.isNaN(size)) return undefined;
      const part = await this.#exactly(Math.min(size, limit - length));
      if (part === undefined) return undefined;
      parts.push(part);
      length += part.length;
      if (length >= limit) return Buffer.concat(parts);
      if ((await this.#line()) === undefined) return undefined;
      if (size === 0) return Buffer.concat(parts);
    }
  }

  async #line(): Promise<string | undefined> {
    let end = -1;
    while ((end = this.#left.indexOf("\r\n")) < 0) if (!(await this.#more())) return undefined;
    return this.#take(end + 2).toString("latin1", 0, end);
  }

  /** Put together once, however many pieces it comes in. */
  async #exactly(length: number): Promise<Buffer | undefined> {
    const parts = [this.#take(Math.min(length, this.#left.length))];
    for (let missing = length - (parts[0]?.length ?? 0); missing > 0;) {
      if (!(await this.#more())) return undefined;
      const part = this.#take(Math.min(missing, this.#left.length));
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  #take(length: number): Buffer {
    const taken = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next().catch(() => undefined);
    if (next === undefined || next.done === true) return false;
    this.#left = this.#left.length === 0 ? next.value : Buffer.concat([this.#left, next.value]);
    return true;
  }
}

export interface RawAnswer {
  readonly status: number;
  /** As they are to be written; without those that frame the body. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** What `Content-Length` says where there is no body by rule (HEAD); undefined: as long as the body is. */
  readonly length?: string;
}

type Headers = RawAnswer["headers"];

/** `framing`: what a head says of its body's length; by default the truth. */
export function formatHead(answer: RawAnswer, framing: Headers = lengthOf(answer)): Buffer {
  const lines = [...answer.headers, ...framing].map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`HTTP/1.1 ${answer.status} X`, ...lines, "", ""].join("\r\n"), "latin1");
}

const lengthOf = ({ status, body, length }: RawAnswer): Headers =>
  status === 204 || status === 304 ? [] : [["Content-Length", length ?? `${body.length}`]];
