// What the tests of an exchange share: both ways of it, over connections of their own.

import { setImmediate as turn } from "node:timers/promises";
import type { TestContext } from "node:test";
import type { Bytes } from "../../src/bytes.ts";
import { dialler } from "../../src/host/connector.ts";
import type { HttpRequest } from "../../src/transport/docker/answer.ts";
import { Connections } from "../../src/transport/docker/connections.ts";
import { networkFailure } from "../../src/transport/docker/failures.ts";
import { Slabs } from "../../src/transport/docker/wire/slabs.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";

export const MiB = 1024 * 1024;
export const WAYS = ["undici", "wire"] as const;
export type Way = (typeof WAYS)[number];

/** All that asks for much, or sends much, takes this way. */
export function connectionsFor(t: TestContext, way: Way, slabs = new Slabs()): Connections {
  const dial = dialler(LOOPBACK_TOO, { timeout: 10_000, rejectUnauthorized: false });
  const connections = new Connections({
    dial,
    slabs: way === "wire" ? slabs : undefined,
    stallMs: 20_000,
  });
  t.after(() => connections.destroy());
  return connections;
}

export const get = (url: URL, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url,
  headers: { "user-agent": "t" },
  expects: MiB,
  ...more,
});

export const put = (
  url: URL,
  body: Bytes,
  length: number,
  more: Partial<HttpRequest> = {},
): HttpRequest => ({
  method: "PUT",
  url,
  headers: { "content-length": String(length) },
  body,
  ...more,
});

const blame = { side: "source", registry: "r", phase: "blob" } as const;

/** What the engine is told of a failure. */
export const codeOf = (error: unknown): unknown =>
  (networkFailure(error, blame) as { readonly code?: unknown }).code;

/** Content that never ends, and tells how it was ended. */
export function endless() {
  const state = { poured: 0, reason: undefined as unknown };
  const content: Bytes = {
    pour: async (sink, signal) => {
      let lent = 0;
      while (!signal.aborted) {
        if (lent < 2 * MiB) {
          const chunk = Buffer.alloc(64 * 1024);
          lent += chunk.length;
          state.poured += chunk.length;
          sink(chunk, () => (lent -= chunk.length));
        }
        await turn();
      }
      state.reason = signal.reason;
      throw signal.reason;
    },
  };
  return { state, content };
}
