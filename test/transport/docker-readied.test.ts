// Connections that are opened before they are asked for.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { dialler } from "../../src/host/connector.ts";
import { Readied } from "../../src/transport/docker/readied.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { until } from "../support/peers.ts";

async function listening(t: TestContext) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { sockets, target: new URL(`http://127.0.0.1:${port}`), server };
}

const readied = (t: TestContext) => {
  const made = new Readied(dialler(LOOPBACK_TOO, { timeout: 10_000 }));
  t.after(() => made.close());
  return made;
};

test("connections are there when they are wanted, and more are dialled", async (t) => {
  const { sockets, target } = await listening(t);
  const made = readied(t);
  made.open(target, 2);
  made.open(target, 2);
  await until(async () => sockets.length === 2, 10_000, "none is opened");
  const taken = [await made.dial(target), await made.dial(target)];
  assert.equal(sockets.length, 2, "as many as were wanted, however often that was said");
  taken.push(await made.dial(target));
  await until(async () => sockets.length === 3, 10_000, "no third is dialled");
  for (const socket of taken) socket.destroy();
});

test("one that the other side has closed meanwhile is not handed out", async (t) => {
  const { sockets, target } = await listening(t);
  const made = readied(t);
  made.open(target, 1);
  await until(async () => sockets.length === 1, 10_000, "none is opened");
  const [first = assert.fail()] = sockets;
  first.destroy();
  await once(first, "close");
  await new Promise((resolve) => setImmediate(resolve));
  const socket = await made.dial(target);
  await until(async () => sockets.length === 2, 10_000, "no other is dialled");
  socket.destroy();
});

test("what nobody took is closed at the end; what could not be opened is for whoever asks to find out", async (t) => {
  const { sockets, target, server } = await listening(t);
  const made = readied(t);
  made.open(target, 1);
  await until(async () => sockets.length === 1, 10_000, "none is opened");
  const [first = assert.fail()] = sockets;
  made.close();
  await once(first.resume(), "close");
  server.close();
  await once(server, "close");
  made.open(target, 1);
  await assert.rejects(made.dial(target), { code: "ECONNREFUSED" });
});
