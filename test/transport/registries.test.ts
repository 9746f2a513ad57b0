// What a process keeps between jobs: how much of it, and how it ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { Registries } from "../../src/transport/docker/registries.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { fetchToken } from "../../src/transport/docker/auth/token-service.ts";
import { startHost } from "../support/host.ts";
import { never, registriesFor } from "./docker-setup.ts";

/** A server that takes connections and says nothing. */
async function silent(t: TestContext): Promise<URL> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => (sockets.forEach((socket) => socket.destroy()), server.close()));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const as = (registries: Registries, identity: number, url: URL) =>
  registries.connections({ credentials: { identity } }, url);

for (const [way, expects] of [
  ["small bodies", 0],
  ["large bodies", 2 * 1024 * 1024],
] as const)
  test(`the end does not wait for a request whose connections others have pushed out: ${way}`, async (t) => {
    const url = await silent(t);
    const registries = registriesFor(t);
    const first = as(registries, 0, url);
    const asked = first.request({ method: "GET", url, headers: {}, expects }, never);
    const failed = assert.rejects(asked, { code: "UND_ERR_DESTROYED" });
    for (let identity = 1; identity <= 256; identity++) as(registries, identity, url);
    assert.notEqual(as(registries, 0, url), first, "control: it was pushed out");
    await registries[Symbol.asyncDispose]();
    await failed;
  });

test("connections that are used stay, however many others come and go", (t) => {
  const registries = registriesFor(t);
  const url = new URL("http://127.0.0.1/");
  const used = as(registries, 0, url);
  for (let identity = 1; identity <= 1_000; identity++) {
    as(registries, identity, url);
    assert.equal(as(registries, 0, url), used);
  }
});

test("a token is asked for again over connections that are still there", async (t) => {
  const registries = registriesFor(t, { retryMs: 1 });
  let asked = 0;
  const { address } = await startHost(t, (_, response) => {
    if (++asked > 1) return void response.end('{"token":"t"}');
    for (let identity = 0; identity < 256; identity++)
      as(registries, identity, new URL("http://127.0.0.1/"));
    response.writeHead(503).end();
  });
  const origin = new URL(`http://${address}`);
  const access = { registries, side: "source" } as AccessContext;
  const challenge = { scheme: "bearer", realm: `${origin.href}token`, service: undefined } as const;
  const blame = { side: "source", registry: address, phase: "token" } as const;
  const question = { challenge, origin, scopes: [], access, blame, secrets: [] };
  assert.equal((await fetchToken(question, never)).text, "t");
});
