// One exchange: both ways of it (undici for small bodies, the wire for large ones) take an answer for what it is, or for none.

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import type { Answer } from "../../src/transport/docker/answer.ts";
import { collect, never } from "../support/bytes.ts";
import { until } from "../support/peers.ts";
import { startScripted } from "../support/scripted-host.ts";
import { codeOf, connectionsFor, get, WAYS } from "./exchange-setup.ts";

const bodyOf = async (answer: Answer): Promise<string> => (await collect(answer)).toString();

/** Writes pieces one after the other, each in a packet of its own as far as that can be said. */
async function writeAll(socket: Socket, pieces: readonly (string | Buffer)[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, "latin1", () => resolve()));
    await turn();
  }
}

const OK = "HTTP/1.1 200 OK\r\n";

interface Good {
  readonly what: string;
  readonly sent: readonly string[];
  readonly status?: number;
  readonly body: string;
  /** The host ends the connection. */
  readonly ends?: boolean;
  /** The next request goes over the same connection; "may": where it is sure that nothing follows. */
  readonly keeps: boolean | "may";
}

const GOOD: readonly Good[] = [
  { what: "a length", sent: [`${OK}Content-Length: 3\r\n\r\nabc`], body: "abc", keeps: true },
  { what: "no body", sent: [`${OK}Content-Length: 0\r\n\r\n`], body: "", keeps: true },
  { what: "204", sent: ["HTTP/1.1 204 No Content\r\n\r\n"], status: 204, body: "", keeps: true },
  {
    what: "304",
    sent: ["HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"],
    status: 304,
    body: "",
    keeps: "may",
  },
  {
    what: "a head in bytes",
    sent: [...`${OK}Content-Length: 3\r\n\r\nabc`],
    body: "abc",
    keeps: "may",
  },
  {
    what: "a status without a reason",
    sent: ["HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na"],
    body: "a",
    keeps: true,
  },
  {
    what: "answers of 1xx before",
    sent: [
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}Content-Length: 1\r\n\r\na`,
    ],
    body: "a",
    keeps: true,
  },
  {
    what: "chunks",
    sent: [`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n`],
    body: "abc0123456789",
    keeps: true,
  },
  {
    what: "chunks byte by byte, with extensions and trailers",
    sent: [
      ...`${OK}Transfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n02\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n`,
    ],
    body: "abcde",
    keeps: "may",
  },
  {
    what: "no length",
    sent: [`${OK}\r\nabc`, "def"],
    body: "abcdef",
    ends: true,
    keeps: false,
  },
  {
    what: "HTTP/1.0",
    sent: ["HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"],
    body: "abc",
    keeps: false,
  },
  {
    what: "Connection: close",
    sent: [`${OK}Connection: close\r\nContent-Length: 3\r\n\r\nabc`],
    body: "abc",
    keeps: false,
  },
];

for (const way of WAYS)
  for (const { what, sent, status = 200, body, ends = false, keeps } of GOOD)
    test(`${way}: an answer with ${what} is read, and its connection ${keeps === false ? "is not" : keeps === "may" ? "may be" : "is"} used again`, async (t) => {
      const host = await startScripted(t, {
        onWhole: (_, socket) => void writeAll(socket, sent).then(() => ends && socket.end()),
      });
      const connections = connectionsFor(t, way);
      for (let i = 0; i < 3; i++) {
        const answer = await connections.request(get(host.url), never);
        assert.equal(answer.status, status);
        assert.equal(await bodyOf(answer), body);
        // What a connection is good for may be known a moment after the body.
        for (let j = 0; j < 3; j++) await turn();
      }
      if (keeps !== "may") assert.equal(host.connections, keeps ? 1 : 3);
    });

interface Bad {
  readonly what: string;
  readonly sent: readonly string[];
  readonly ends?: boolean;
}

const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const BAD: readonly Bad[] = [
  { what: "is no HTTP", sent: ["220 hello\r\n\r\n"] },
  { what: "is HTTP/2", sent: ["HTTP/2 200\r\ncontent-length: 1\r\n\r\na"] },
  {
    what: "switches protocols",
    sent: ["HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
  },
  { what: "has two lengths", sent: [`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`] },
  {
    what: "has the same length twice",
    sent: [`${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  },
  { what: "has a length that is none", sent: [`${OK}Content-Length: 1, 1\r\n\r\na`] },
  { what: "has a negative length", sent: [`${OK}Content-Length: -1\r\n\r\na`] },
  {
    what: "has a length and chunks",
    sent: [`${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`],
  },
  { what: "has a line that is no header", sent: [`${OK}nonsense\r\nContent-Length: 1\r\n\r\na`] },
  { what: "has a zero byte in a header", sent: [`${OK}X: a\0b\r\nContent-Length: 1\r\n\r\na`] },
  { what: "has a space before a colon", sent: [`${OK}Content-Length : 1\r\n\r\na`] },
  {
    what: "has a head without end",
    sent: Array.from({ length: 80 }, () => `X: ${"x".repeat(1020)}\r\n`).with(0, OK),
  },
  { what: "has a chunk whose size is none", sent: [`${CHUNKED}x\r\nabc\r\n0\r\n\r\n`] },
  { what: "has a chunk without its end", sent: [`${CHUNKED}1\r\nabc\r\n0\r\n\r\n`] },
  {
    what: "has a chunk of more bytes than there are",
    sent: [`${CHUNKED}fffffffffffffffff\r\nabc`],
  },
  { what: "ends in the middle of its chunks", sent: [`${CHUNKED}3\r\nabc\r\n`], ends: true },
  { what: "ends before its last chunk's end", sent: [`${CHUNKED}3\r\nabc\r\n0\r\n`], ends: true },
  { what: "ends before its length", sent: [`${OK}Content-Length: 4\r\n\r\nabc`], ends: true },
  { what: "ends in its head", sent: [`${OK}Content-`], ends: true },
];

for (const way of WAYS)
  for (const { what, sent, ends = false } of BAD)
    test(`${way}: an answer that ${what} is none`, async (t) => {
      const host = await startScripted(t, {
        onWhole: (_, socket) => void writeAll(socket, sent).then(() => ends && socket.end()),
      });
      const connections = connectionsFor(t, way);
      const read = async () => bodyOf(await connections.request(get(host.url), never));
      await assert.rejects(read(), (error) => codeOf(error) === "registry_unavailable");
      // No connection of that kind is used again.
      await assert.rejects(read(), (error) => codeOf(error) === "registry_unavailable");
      assert.equal(host.connections, 2);
    });

const EVIL = `${OK}Content-Length: 4\r\n\r\nevil`;
/** Bytes after the end of an answer, at once or when nobody waits for any. */
const EXTRA: readonly (readonly [what: string, sent: readonly string[]])[] = [
  ["with it", [`${OK}Content-Length: 1\r\n\r\na${EVIL}`]],
  ["after it", [`${OK}Content-Length: 1\r\n\r\na`, EVIL]],
  ["after one without a body", [`${OK}Content-Length: 0\r\n\r\n`, EVIL]],
  ["after its chunks", [`${CHUNKED}1\r\na\r\n0\r\n\r\n${EVIL}`]],
];

for (const way of WAYS)
  for (const [what, sent] of EXTRA)
    test(`${way}: what a host sends ${what} is nobody's answer`, async (t) => {
      const host = await startScripted(t, {
        onWhole: ({ connection }, socket) =>
          void writeAll(
            socket,
            connection === 0 ? sent : [`${OK}Content-Length: 2\r\n\r\n${connection + 10}`],
          ),
      });
      const connections = connectionsFor(t, way);
      // Whether the extra bytes come with the answer or a moment after it, it is whole, or it is none.
      const first = connections.request(get(host.url), never).then(bodyOf);
      await first.catch((error: unknown) => assert.equal(codeOf(error), "registry_unavailable"));
      await until(() => host.sockets.size === 0, 5_000, "the connection stays open");
      assert.equal(await bodyOf(await connections.request(get(host.url), never)), "11");
    });

test("a request has no characters that would make two of it", async (t) => {
  const host = await startScripted(t, {});
  for (const way of WAYS) {
    const connections = connectionsFor(t, way);
    for (const value of ["a\r\nevil: 1", "a\nevil: 1", "a\0"])
      await assert.rejects(
        connections.request(get(host.url, { headers: { authorization: value } }), never),
        `${way} ${JSON.stringify(value)}`,
      );
    await assert.rejects(connections.request(get(host.url, { headers: { "a b": "c" } }), never));
  }
  assert.equal(host.asked.length, 0);
});
