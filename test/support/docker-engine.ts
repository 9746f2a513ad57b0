// A docker engine that knows two calls, `docker save` and `docker load`, on a Unix socket; what it is told to say wrong, it says.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestEngine extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Archives by the names that they are asked for under. */
  readonly images: Map<string, Buffer>;
  /** What was loaded. */
  readonly loaded: Buffer[];
  /** Requests, as `METHOD /path`. */
  readonly requests: string[];
  /** What it answers instead, if anything. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
}

export async function startTestEngine(): Promise<TestEngine> {
  const folder = await mkdtemp(join(tmpdir(), "transship-engine-"));
  const socket = join(folder, "docker.sock");
  const images = new Map<string, Buffer>();
  const loaded: Buffer[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (engine.answer === undefined) void serve(request, response);
    else engine.answer(request, response);
  });
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "", "http://docker");
    if (request.method === "GET" && url.pathname === "/images/get") {
      const name = url.searchParams.get("names") ?? "";
      const image = images.get(name);
      if (image === undefined) {
        response.statusCode = 404;
        response.end(JSON.stringify({ message: `No such image: ${name}` }));
      } else response.end(image);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    loaded.push(Buffer.concat(chunks));
    response.end('{"stream":"Loaded image: x\\n"}\r\n');
  };
  server.listen(socket);
  await once(server, "listening");
  const engine: TestEngine = {
    host: `unix://${socket}`,
    images,
    loaded,
    requests,
    answer: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
  return engine;
}
