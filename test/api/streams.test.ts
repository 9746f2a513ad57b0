// A stream's two edges, with events made here: a reader for whom there is nothing yet, and one that takes nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fastify } from "fastify";
import { Streams, type Follow } from "../../src/api/sse.ts";
import { until } from "../support/jobs.ts";

const MIB = 1024 ** 2;
/** More than what the kernel holds of a connection that nobody reads. */
const MUCH = 64 * MIB;

async function serve(follow: Follow, heartbeatMs?: number) {
  const streams = new Streams(heartbeatMs);
  const app = fastify({ forceCloseConnections: true });
  app.addHook("preClose", async () => streams.close());
  app.get("/", (request, reply) => streams.send(request, reply, "t", follow));
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    port: (app.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** Events without end, and how many bytes of them were asked for. */
function flood(): { follow: Follow; taken: () => number } {
  const text = "x".repeat(MIB / 4);
  let taken = 0;
  const follow: Follow = async function* (_after, signal) {
    for (let id = 1; !signal.aborted; id++) {
      yield { id: String(id), type: "report", data: { text } };
      taken += text.length;
      await setTimeout(0);
    }
  };
  return { follow, taken: () => taken };
}

/** Whether `taken` stands still for half a second before there was much. */
async function comesToRest(taken: () => number): Promise<boolean> {
  await until("the stream begins", () => taken() > 0);
  for (let before = -1; before !== taken(); await setTimeout(500)) {
    before = taken();
    if (before > MUCH) return false;
  }
  return true;
}

async function open(port: number) {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  return socket;
}

test("a stream without events has comments, so that nobody between takes it for dead", async () => {
  const silence: Follow = async function* (_after, signal) {
    await once(signal, "abort");
    yield* [];
  };
  await using server = await serve(silence, 20);
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream()))
    if ((text += chunk).split("\n: ").length > 4) break;
  assert.match(text, /^retry: 1000\n\n(: still here\n\n){3,}$/);
});

test("no events are made for a reader that takes none", async () => {
  const { follow, taken } = flood();
  await using server = await serve(follow);
  const socket = await open(server.port);
  socket.pause();
  assert.ok(await comesToRest(taken), `${taken()} bytes`);
  socket.destroy();
});

test("the check of a reader that takes nothing sees one that does", async () => {
  const { follow, taken } = flood();
  await using server = await serve(follow);
  const socket = await open(server.port);
  socket.resume();
  assert.equal(await comesToRest(taken), false);
  socket.destroy();
});
