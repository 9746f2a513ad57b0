import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { connect, createServer, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { createServer as createTls } from "node:tls";
import { Agent, request } from "undici";
import { CopyError } from "../../src/errors.ts";
import { dialler, guardedConnector, type Resolve } from "../../src/host/connector.ts";
import { parseHosts, parseNetworks, type EgressRules } from "../../src/host/egress.ts";
import { issue } from "../support/certificates.ts";
import { NEVER_REACHED, PRIVATE_SPELLINGS } from "../support/spellings.ts";

const rules = (networks = "", allowed?: string): EgressRules => ({
  allowed: allowed === undefined ? undefined : parseHosts(allowed),
  denied: parseHosts(""),
  privateNetworks: parseNetworks(networks),
});

function agentFor(t: TestContext, egress: EgressRules, resolve?: Resolve): Agent {
  const agent = new Agent({ connect: guardedConnector(egress, { timeout: 5000 }, resolve) });
  t.after(() => agent.close());
  return agent;
}

/** A listener on all addresses of this machine that counts who comes. */
async function sentinel(t: TestContext): Promise<{ port: number; connections: number }> {
  const seen = { port: 0, connections: 0 };
  const server = createServer((socket) => {
    seen.connections++;
    socket.on("error", () => {}).end("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  });
  await once(server.listen(0, "::"), "listening");
  t.after(() => server.close());
  seen.port = (server.address() as AddressInfo).port;
  return seen;
}

const denied = (error: unknown): boolean =>
  error instanceof CopyError && error.code === "host_denied";
const ask = (agent: Agent, host: string, port: number, scheme = "http") =>
  request(`${scheme}://${host}:${port}/`, { dispatcher: agent });

test("no spelling of an address that is not allowed reaches a listener here", async (t) => {
  const listener = await sentinel(t);
  const agent = agentFor(t, rules());
  const hosts = [...PRIVATE_SPELLINGS, ...NEVER_REACHED, "localhost", "LOCALHOST"];
  for (const host of hosts)
    for (const scheme of ["http", "https"])
      await assert.rejects(ask(agent, host, listener.port, scheme), denied, `${scheme} ${host}`);
  assert.equal(listener.connections, 0);
});

test("control: the same listener is reached where its address is allowed", async (t) => {
  const listener = await sentinel(t);
  const agent = agentFor(t, rules("127.0.0.0/8,::1"));
  for (const host of ["127.0.0.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"])
    assert.equal((await ask(agent, host, listener.port)).statusCode, 204, host);
  assert.equal(listener.connections, 4);
  await assert.rejects(ask(agent, "0.0.0.0", listener.port), denied);
  const listed = agentFor(t, rules("127.0.0.0/8", `localhost:${listener.port}`));
  await assert.rejects(ask(listed, "127.0.0.1", listener.port), denied);
  assert.equal(listener.connections, 4);
});

test("a name with an address that is not allowed is refused, whichever of them would be dialled", async (t) => {
  const listener = await sentinel(t);
  for (const addresses of [
    ["127.0.0.1"],
    ["1.1.1.1", "127.0.0.1"],
    ["::1", "2606:4700::1111"],
    [],
    ["nonsense"],
  ]) {
    const agent = agentFor(t, rules(), async () => addresses);
    await assert.rejects(ask(agent, "rebind.example", listener.port), denied, String(addresses));
  }
  assert.equal(listener.connections, 0);
});

test("a name is resolved once a connection, and what was checked is what is dialled", async (t) => {
  const server = createHttp((_, response) => response.setHeader("connection", "close").end("ok"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const other = await sentinel(t);
  let asked = 0;
  // Good the first time, and every other time from then on.
  const agent = agentFor(t, rules("127.0.0.1"), async () =>
    asked++ % 2 === 0 ? ["127.0.0.1"] : ["127.0.0.2"],
  );
  const outcomes = [];
  for (let i = 0; i < 100; i++)
    outcomes.push(
      await ask(agent, "rebind.example", port).then(
        ({ body }) => body.text(),
        (error: unknown) => (denied(error) ? "denied" : error),
      ),
    );
  assert.equal(asked, 100);
  assert.deepEqual(new Set(outcomes.filter((_, i) => i % 2 === 0)), new Set(["ok"]));
  assert.deepEqual(new Set(outcomes.filter((_, i) => i % 2 === 1)), new Set(["denied"]));
  assert.equal(other.connections, 0);
});

test("a name that is not known fails as the resolver says, and says nothing of rules", async (t) => {
  const agent = agentFor(t, rules());
  await assert.rejects(ask(agent, "nowhere.invalid", 443), (error: NodeJS.ErrnoException) =>
    ["ENOTFOUND", "EAI_AGAIN"].includes(error.code ?? ""),
  );
});

test("a host that breaks off as soon as the connection is there has broken off, and is not forbidden", async (t) => {
  const { pem, privateKey } = issue({ subject: "a server", hostname: "a.test" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const server = createTls({ cert: pem, key });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  // All that the handshake needs of the server has come when the reset does.
  const front = createServer((near) => {
    const far = connect(port, "127.0.0.1").on("error", () => {});
    near.on("error", () => {}).pipe(far);
    far.once("data", (flight) => {
      near.write(flight);
      near.resetAndDestroy();
      far.destroy();
    });
  });
  await once(front.listen(0, "127.0.0.1"), "listening");
  t.after(() => (server.close(), front.close()));
  const target = { protocol: "https:", hostname: "127.0.0.1" } as const;
  const dial = dialler(rules("127.0.0.1"), { timeout: 5000, rejectUnauthorized: false });
  const dialled = dial({ ...target, port: String((front.address() as AddressInfo).port) });
  await assert.rejects(dialled, { code: "UND_ERR_SOCKET" });
});

test("a resolver that does not answer is waited for no longer than a host, nor after it was given up", async () => {
  const target = { protocol: "https:", hostname: "slow.example", port: "" } as const;
  const dialIn = (timeout: number) =>
    dialler(rules(), { timeout }, () => new Promise<never>(() => {}));
  await assert.rejects(dialIn(20)(target), { code: "UND_ERR_CONNECT_TIMEOUT" });
  const stop = new AbortController();
  const dialled = dialIn(60_000)(target, { signal: stop.signal });
  setImmediate(() => stop.abort(new Error("given up")));
  await assert.rejects(dialled, { message: "given up" });
});

test("several addresses are tried as Node does it", async (t) => {
  const server = createHttp((_, response) => response.end("ok"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const agent = agentFor(t, rules("127.0.0.0/8"), async () => ["127.0.0.9", "127.0.0.1"]);
  const { statusCode, body } = await ask(agent, "two.example", port);
  assert.equal(statusCode, 200);
  await body.dump();
});
