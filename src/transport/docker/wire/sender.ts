// A body on its way out over a wire.

import { errors } from "undici";
import type { Bytes, Sink } from "../../../bytes.ts";
import type { Outflow } from "./outflow.ts";

export interface Outlet {
  /** Ends with the body. */
  readonly flow: Pick<Outflow, "write" | "end">;
  /** Settles when the answer's head has come, or when none will. */
  readonly answered: Promise<unknown>;
}

/**
 * Pours a body of `length` bytes, which has ended when this returns. The chunk that completes it goes out once the pouring has ended
 * without an error, so that nobody can take the body for whole before it is known to be good. Returns that chunk's end: a promise that
 * settles when it was written; undefined: the answer came first. Throws the body's own failure if that came first, or `signal`'s reason.
 */
export async function sendBody(
  body: Bytes,
  length: number,
  { flow, answered }: Outlet,
  signal: AbortSignal,
): Promise<{ readonly written: Promise<void> } | undefined> {
  const stop = new AbortController();
  const settled = () => stop.abort(new Error("the answer has come"));
  answered.then(settled, settled);
  let last: Parameters<Sink> = [Buffer.alloc(0), () => {}];
  let left = length;
  const take: Sink = (chunk, release) => {
    left -= chunk.length;
    if (left < 0) throw new errors.RequestContentLengthMismatchError();
    if (left === 0 && chunk.length > 0) last = [chunk, release];
    else flow.write(chunk, release);
  };
  const [chunk, release] = await body
    .pour(take, AbortSignal.any([signal, stop.signal]))
    .then(() => {
      if (left > 0) throw new errors.RequestContentLengthMismatchError();
      return last;
    })
    .catch((error: unknown) => {
      last[1]();
      flow.end();
      if (!stop.signal.aborted || signal.aborted) throw error;
      return [];
    });
  if (chunk === undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  flow.write(chunk, () => {
    flow.end();
    release?.();
    resolve();
  });
  return { written: promise };
}
