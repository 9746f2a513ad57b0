// Registries that take a body slowly: how slowly is too slowly is said by the rule, and how it is seen by stall-watch.ts and outflow.ts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { inPieces, never } from "../support/bytes.ts";
import { issue } from "../support/certificates.ts";
import { seededBytes } from "../support/images.ts";
import { startScripted, type Script } from "../support/scripted-host.ts";
import { codeOf, connectionsFor, endless, MiB, put, WAYS } from "./exchange-setup.ts";

const KIB = 1024;
const CREATED = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
const { pem: cert, privateKey } = issue({ subject: "a host" });
const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;

/** Does something to a socket every so many ms, until it is closed. */
function every(ms: number, socket: Socket, act: () => void): void {
  const timer = setInterval(act, ms);
  socket.once("close", () => clearInterval(timer));
}

/** Takes 64 KiB of what has come, and then nothing for so many ms. */
function readEvery(ms: number, socket: Socket): void {
  let taken = 0;
  socket.on("data", ({ length }) => {
    taken += length;
    if (taken >= 64 * KIB) socket.pause();
  });
  every(ms, socket, () => {
    taken = 0;
    socket.resume();
  });
}

interface Slow {
  readonly what: string;
  readonly rule: { readonly stallMs: number; readonly stallBytes: number };
  readonly onHead: NonNullable<Script["onHead"]>;
}

const TOO_SLOW: readonly Slow[] = [
  {
    what: "reads a byte at a time",
    rule: { stallMs: 300, stallBytes: 64 * KIB },
    onHead: (_asked, socket) => {
      socket.pause();
      every(10, socket, () => socket.read(1));
    },
  },
  {
    what: "reads all the time, but not enough of it",
    rule: { stallMs: 1_000, stallBytes: 64 * MiB },
    onHead: (_asked, socket) => readEvery(10, socket),
  },
  {
    what: "reads nothing, and answers a byte at a time",
    rule: { stallMs: 300, stallBytes: 64 * KIB },
    onHead: (_asked, socket) => {
      socket.pause();
      socket.write("HTTP/1.1 201 Created\r\nX: ");
      every(50, socket, () => socket.write("x"));
    },
  },
];

for (const way of WAYS)
  for (const tls of [undefined, { key, cert }]) {
    const over = `${way}, ${tls === undefined ? "http" : "https"}`;

    for (const { what, rule, onHead } of TOO_SLOW)
      test(`${over}: a registry that ${what} is given up`, async (t) => {
        const host = await startScripted(t, { onHead }, tls);
        const request = put(host.url, endless().content, 2 ** 40, { stall: rule });
        await assert.rejects(
          connectionsFor(t, way).request(request, never),
          (error) => codeOf(error) === "transfer_stalled",
        );
      });

    test(`${over}: one that reads slowly, but enough, gets every byte, however long it takes`, (t) =>
      readsSlowly(t, way, tls));
  }

/** It is slower than the window of the rule is long, says that it goes on, and shows no more than what its buffers show. */
async function readsSlowly(
  t: TestContext,
  way: (typeof WAYS)[number],
  tls: { readonly key: string; readonly cert: string } | undefined,
): Promise<void> {
  const bytes = seededBytes("slow", 24 * MiB);
  const hash = createHash("sha256");
  const host = await startScripted(
    t,
    {
      onHead: (_asked, socket) => {
        socket.write("HTTP/1.1 102 Processing\r\n\r\n");
        readEvery(6, socket);
      },
      onWhole: ({ body }, socket) => {
        hash.update(body);
        socket.write(CREATED);
      },
    },
    tls,
  );
  const stall = { stallMs: 1_500, stallBytes: 64 * KIB };
  const request = put(host.url, inPieces(bytes, MiB), bytes.length, { stall });
  const answer = await connectionsFor(t, way).request(request, never);
  assert.equal(answer.status, 201);
  assert.equal(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"));
  await answer.read(0, never);
}
