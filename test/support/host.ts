// A web host of the test's own, on loopback: what it answers is by path, and what it was asked is kept.

import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export interface Host {
  /** `127.0.0.1:port`, and the same by name. */
  readonly address: string;
  readonly name: string;
  readonly requests: readonly IncomingMessage[];
}

/** Answers by path, 404 to any other, or all by one listener; closed when the test ends. */
export async function startHost(
  t: TestContext,
  answers: RequestListener | Readonly<Record<string, RequestListener>> = {},
): Promise<Host> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const answer = typeof answers === "function" ? answers : answers[request.url ?? ""];
    if (answer !== undefined) answer(request, response);
    else response.writeHead(404).end("s3cret words of a stranger");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, name: `localhost:${port}`, requests };
}

export const redirect =
  (location: string): RequestListener =>
  (_, response) =>
    response.writeHead(307, { location }).end();
