// Another origin, which a registry sends its clients to, and which wants to know who they are: it keeps all that they show.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Shown {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Secrets {
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

/** How it asks who somebody is; "open": not at all. */
export type Asks = "bearer" | "basic" | "open";

export class Sentinel implements AsyncDisposable {
  readonly shown: Shown[] = [];
  readonly #asks: Asks;
  readonly #name: string;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  private constructor(asks: Asks, name: string) {
    this.#asks = asks;
    this.#name = name;
  }

  /** `name` is what it is called by: another one than the registry's, or the same. Both are loopback. */
  static async start(asks: Asks, name = "localhost"): Promise<Sentinel> {
    const sentinel = new Sentinel(asks, name);
    await once(sentinel.#server.listen(0, "127.0.0.1"), "listening");
    return sentinel;
  }

  get host(): string {
    return `${this.#name}:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const chunks: Buffer[] = [];
    // What has come is what was shown, whether or not the rest does.
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    this.shown.push({ method, path: url, headers, body: Buffer.concat(chunks).toString("latin1") });
    if (url.startsWith("/token"))
      return void response.end(JSON.stringify({ token: "given-by-the-sentinel", expires_in: 300 }));
    if (url.includes("/uploads/")) {
      response.setHeader("Location", `${this.url}/v2/to/blobs/uploads/1`);
      return void response.writeHead(method === "PUT" ? 201 : 202).end();
    }
    if (this.#asks !== "open")
      response.setHeader(
        "WWW-Authenticate",
        this.#asks === "basic"
          ? 'Basic realm="sentinel"'
          : `Bearer realm="${this.url}/token",service="sentinel"`,
      );
    response.writeHead(this.#asks === "open" ? 404 : 401).end();
  }
}

/** What of a request is nobody's business but the registry's, in words. */
export function secretsIn(
  shown: Pick<Shown, "path" | "headers"> & Partial<Shown>,
  secrets: Secrets,
): readonly string[] {
  const { path, headers, body = "" } = shown;
  const text = [path, body, ...Object.values(headers).flat()].join("\n");
  const decoded = decodeURIComponent(text.replaceAll(/%(?![0-9a-f]{2})/gi, "%25"));
  const { username, password, identityToken, registryToken } = secrets;
  const basic = Buffer.from(`${username}:${password}`).toString("base64");
  const found: readonly (readonly [string, boolean])[] = [
    ["password", decoded.includes(password) || decoded.includes(basic)],
    ["user name", /[?&]account=/.test(path)],
    ["identity token", decoded.includes(identityToken)],
    ["registry token", decoded.includes(registryToken)],
    ["bearer token", /\btoken-[0-9a-f]{8}-/.test(decoded)],
    ["cookie", headers.cookie !== undefined],
    ["own headers", Object.keys(headers).some((name) => name.startsWith("x-"))],
  ];
  return found.filter(([, isThere]) => isThere).map(([what]) => what);
}
