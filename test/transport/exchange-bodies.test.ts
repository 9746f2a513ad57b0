// One exchange: both ways of it move large bodies under back-pressure, and end as soon as it is clear that they are in vain.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import type { Bytes } from "../../src/bytes.ts";
import { digestOf } from "../../src/image/digest.ts";
import { collect, inPieces, never } from "../support/bytes.ts";
import { issue } from "../support/certificates.ts";
import { seededBytes } from "../support/images.ts";
import { until } from "../support/peers.ts";
import { startScripted } from "../support/scripted-host.ts";
import { codeOf, connectionsFor, endless, get, MiB, put, WAYS } from "./exchange-setup.ts";

const bytes = seededBytes("exchange", 24 * MiB);
const OK = "HTTP/1.1 200 OK\r\n";
const WHOLE = `${OK}Content-Length: ${bytes.length}\r\n\r\n`;
const CREATED = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
const QUICK = { stallMs: 300, stallBytes: 1024 };

const { pem: cert, privateKey } = issue({ subject: "a host" });
const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const SCHEMES = [
  ["http", undefined],
  ["https", { key, cert }],
] as const;

for (const way of WAYS)
  for (const [scheme, tls] of SCHEMES) {
    test(`${way}, ${scheme}: a slow reader gets every byte, and is never lent more than a few MiB`, async (t) => {
      const host = await startScripted(
        t,
        { onWhole: (_, socket) => (socket.write(WHOLE), socket.write(bytes)) },
        tls,
      );
      const connections = connectionsFor(t, way);
      for (let round = 0; round < 2; round++) {
        const answer = await connections.request(get(host.url), never);
        const hash = createHash("sha256");
        const kept: { readonly chunk: Buffer; readonly release: () => void }[] = [];
        let lent = 0;
        let most = 0;
        const poured = answer.pour((chunk, release) => {
          kept.push({ chunk, release });
          lent += chunk.length;
          most = Math.max(most, lent);
        }, never);
        let isOver = false;
        void poured.then(() => (isOver = true));
        // The oldest goes back now and then; only now are its bytes looked at.
        for (let i = 0; !isOver || kept.length > 0; i++) {
          await turn();
          if (i % 16 !== 0) continue;
          const oldest = kept.shift();
          if (oldest === undefined) continue;
          hash.update(oldest.chunk);
          lent -= oldest.chunk.length;
          oldest.release();
        }
        await poured;
        assert.equal(`sha256:${hash.digest("hex")}`, digestOf(bytes));
        assert.ok(most <= 6 * MiB, `${most} bytes were lent`);
      }
      assert.equal(host.connections, 1);
    });

    test(`${way}, ${scheme}: a large body is sent whole, its chunks given back once they are, and the connection used again`, async (t) => {
      const host = await startScripted(t, { onWhole: (_, socket) => socket.write(CREATED) }, tls);
      const connections = connectionsFor(t, way);
      for (const piece of [100_000, 3 * MiB]) {
        // Whoever gives memory back may use it for something else: here it is spoilt at once.
        let lent = 0;
        const content: Bytes = {
          pour: async (sink, signal) => {
            for (let at = 0; at < bytes.length; at += piece) {
              signal.throwIfAborted();
              while (lent > 4 * MiB) await turn();
              const chunk = Buffer.from(bytes.subarray(at, at + piece));
              lent += chunk.length;
              sink(chunk, () => ((lent -= chunk.length), chunk.fill(0)));
            }
          },
        };
        const answer = await connections.request(put(host.url, content, bytes.length), never);
        assert.equal((await answer.read(100, never)).status, 201);
        assert.equal(lent, 0);
      }
      assert.deepEqual(
        host.asked.map(({ body }) => digestOf(body)),
        [digestOf(bytes), digestOf(bytes)],
      );
      // undici gives up a connection on which the answer came before it had asked the body for its end.
      if (way === "wire") assert.equal(host.connections, 1);
    });
  }

const EARLY = [
  [413, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"],
  [401, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"],
  [
    429,
    "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbig\r\n0\r\n\r\n",
  ],
  [201, CREATED],
] as const;
for (const way of WAYS)
  for (const [status, text] of EARLY)
    for (const ends of [false, true])
      test(`${way}: ${status} while a body is sent ends it${ends ? ", also where the host closes" : ""}, and the next request has a connection of its own`, async (t) => {
        const host = await startScripted(t, {
          onHead: ({ method }, socket) => {
            if (method === "PUT") socket.write(text, () => void (ends && socket.end()));
          },
          onWhole: (_, socket) => socket.write(`${OK}Content-Length: 2\r\n\r\nok`),
        });
        const connections = connectionsFor(t, way);
        const { state, content } = endless();
        const answer = await connections.request(put(host.url, content, 2 ** 40), never);
        const reply = await answer.read(100, never);
        assert.equal(reply.status, status);
        if (status === 413) assert.equal(reply.body.toString(), "big");
        assert.ok(state.reason !== undefined, "the content was told");
        const next = await connections.request(get(host.url), never);
        assert.equal((await collect(next)).toString(), "ok");
        assert.equal(host.connections, 2);
      });

for (const way of WAYS) {
  test(`${way}: content that fails is the failure, and its last bytes were not sent`, async (t) => {
    const host = await startScripted(t, {});
    const connections = connectionsFor(t, way);
    const failure = new Error("the digest does not fit");
    for (const length of [bytes.length, 2 * MiB, 1]) {
      const content: Bytes = {
        pour: async (sink, signal) => {
          await inPieces(bytes.subarray(0, length), 100_000).pour(sink, signal);
          throw failure;
        },
      };
      await assert.rejects(
        connections.request(put(host.url, content, bytes.length), never),
        failure,
      );
    }
    assert.equal(host.asked.length, 0, "nothing looked whole");
  });

  test(`${way}: a body of another length than was said does not look whole`, async (t) => {
    const host = await startScripted(t, { onWhole: (_, socket) => socket.write(CREATED) });
    const connections = connectionsFor(t, way);
    const content = () => inPieces(bytes, 100_000);
    for (const more of [1, -1])
      await assert.rejects(
        connections.request(put(host.url, content(), bytes.length + more), never),
      );
    assert.equal(host.asked.length, 0);
  });

  test(`${way}: an abort ends waiting, sending and receiving, and is the error`, async (t) => {
    const host = await startScripted(t, {
      onWhole: ({ path }, socket) => void (path === "/half" && socket.write(`${WHOLE}abc`)),
    });
    const connections = connectionsFor(t, way);
    const reason = new Error("cancelled");
    const during = async (act: (signal: AbortSignal) => Promise<unknown>) => {
      const cancel = new AbortController();
      const acted = act(cancel.signal);
      await until(() => host.sockets.size > 0, 5_000, "nobody came");
      cancel.abort(reason);
      await assert.rejects(acted, reason);
      await until(() => host.sockets.size === 0, 5_000, "the connection stays open");
    };
    await during((signal) => connections.request(get(host.url), signal));
    await during((signal) =>
      connections.request(put(host.url, endless().content, 2 ** 40), signal),
    );
    const got: string[] = [];
    await during(async (signal) => {
      const answer = await connections.request(get(new URL("/half", host.url)), signal);
      await answer.pour((chunk, release) => (got.push(chunk.toString()), release()), signal);
    });
    await assert.rejects(connections.request(get(host.url), AbortSignal.abort(reason)), reason);
  });

  test(`${way}: a body that stands still is given up, one whose reader rests is not`, async (t) => {
    const host = await startScripted(t, {
      onHead: ({ method }, socket) => void (method === "PUT" && socket.pause()),
      onWhole: ({ path }, socket) =>
        path === "/half" ? socket.write(`${WHOLE}abc`) : (socket.write(WHOLE), socket.write(bytes)),
    });
    const connections = connectionsFor(t, way);
    const half = await connections.request(
      get(new URL("/half", host.url), { stall: QUICK }),
      never,
    );
    const got: string[] = [];
    await assert.rejects(
      half.pour((chunk, release) => (got.push(chunk.toString()), release()), never),
      (error) => codeOf(error) === "transfer_stalled",
    );
    assert.equal(got.join(""), "abc", "what came was handed over");
    await assert.rejects(
      connections.request(put(host.url, endless().content, 2 ** 40, { stall: QUICK }), never),
      (error) => codeOf(error) === "transfer_stalled",
    );
    const answer = await connections.request(get(host.url, { stall: QUICK }), never);
    const kept: (() => void)[] = [];
    let length = 0;
    const poured = answer.pour((chunk, release) => {
      length += chunk.length;
      if (length < bytes.length / 2) kept.push(release);
      else release();
    }, never);
    // Longer than the limit: nothing moves, because nobody takes it.
    await new Promise((resolve) => setTimeout(resolve, 2 * QUICK.stallMs));
    for (const release of kept) release();
    const rest = setInterval(() => kept.splice(0).forEach((release) => release()), 1);
    await poured.finally(() => clearInterval(rest));
    assert.equal(length, bytes.length);
  });

  test(`${way}: an answer that does not come is given up, after the body was sent or where there is none`, async (t) => {
    const host = await startScripted(t, {
      onWhole: ({ nth }, socket) => void (nth > 0 && socket.write("HTTP/1.1")),
    });
    const connections = connectionsFor(t, way);
    for (const request of [get(host.url), put(host.url, inPieces(bytes, MiB), bytes.length)])
      await assert.rejects(
        connections.request({ ...request, answerMs: 300 }, never),
        (error) => codeOf(error) === "transfer_stalled",
      );
  });

  test(`${way}: a connection that was reset gives what came, and is registry_unavailable`, async (t) => {
    const host = await startScripted(t, {
      onWhole: (_, socket) =>
        socket.write(`${WHOLE}abc`, () => setTimeout(() => socket.resetAndDestroy(), 50)),
    });
    const connections = connectionsFor(t, way);
    const answer = await connections.request(get(host.url), never);
    const got: string[] = [];
    await assert.rejects(
      answer.pour((chunk, release) => (got.push(chunk.toString()), release()), never),
      (error) => codeOf(error) === "registry_unavailable",
    );
    assert.equal(got.join(""), "abc");
  });

  test(`${way}: a sink that throws ends the exchange with its error`, async (t) => {
    const host = await startScripted(t, {
      onWhole: (_, socket) => (socket.write(WHOLE), socket.write(bytes)),
    });
    const connections = connectionsFor(t, way);
    const answer = await connections.request(get(host.url), never);
    const failure = new Error("no more");
    let length = 0;
    await assert.rejects(
      answer.pour((chunk, release) => {
        length += chunk.length;
        release();
        if (length > MiB) throw failure;
      }, never),
      failure,
    );
    await until(() => host.sockets.size === 0, 5_000, "the connection stays open");
  });

  test(`${way}: a request without a body goes once more over a new connection where the old one was closed unheard`, async (t) => {
    const host = await startScripted(t, {
      onHead: ({ nth }, socket) => void (nth === 1 && socket.resetAndDestroy()),
      onWhole: ({ connection }, socket) =>
        socket.write(`${OK}Content-Length: 1\r\n\r\n${connection}`),
    });
    const connections = connectionsFor(t, way);
    const ask = async () =>
      (await collect(await connections.request(get(host.url), never))).toString();
    assert.equal(await ask(), "0");
    assert.equal(await ask(), "1");
  });

  test(`${way}: what is closed lets its exchanges end, what is destroyed does not`, async (t) => {
    const host = await startScripted(t, {
      onWhole: (_, socket) => (socket.write(WHOLE), socket.write(bytes)),
    });
    const gentle = connectionsFor(t, way);
    const answer = await gentle.request(get(host.url), never);
    const closing = gentle.close();
    assert.equal(digestOf(await collect(answer)), digestOf(bytes));
    await closing;
    const rude = connectionsFor(t, way);
    const cut = await rude.request(get(host.url), never);
    await Promise.all([rude.destroy(), assert.rejects(cut.pour(() => {}, never))]);
    await until(() => host.sockets.size === 0, 5_000, "a connection stays open");
  });
}
