// What the bench measures distance with is tested: a proxy that changed the order of bytes, or held none back, would measure something else.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { delayed } from "../../bench/delay.ts";
import { seededBytes } from "../support/images.ts";

test("what goes through comes out late, whole and in order, and its connections are counted", async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await once(echo.listen(0, "127.0.0.1"), "listening");
  t.after(() => echo.close());
  await using far = await delayed(`127.0.0.1:${(echo.address() as AddressInfo).port}`, 20);
  const [host, port] = far.host.split(":");
  const bytes = seededBytes("far", 3_000_000);
  for (let i = 0; i < 2; i++) {
    const socket = connect({ host: host ?? "", port: Number(port), allowHalfOpen: true });
    const begun = performance.now();
    let first: number | undefined;
    const got: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      first ??= performance.now() - begun;
      got.push(chunk);
    });
    for (let at = 0; at < bytes.length; at += 70_001) socket.write(bytes.subarray(at, at + 70_001));
    socket.end();
    await once(socket, "end");
    assert.deepEqual(Buffer.concat(got), bytes);
    // The handshake and the bytes' own way there and back; timers may be a millisecond early.
    assert.ok((first ?? 0) >= 38, `the first byte was back after ${first} ms`);
  }
  assert.equal(far.connections, 2);
});
