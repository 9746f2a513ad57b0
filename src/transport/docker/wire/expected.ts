import type { Sink } from "../../../bytes.ts";
import type { HttpRequest } from "../answer.ts";
import type { BodyReader } from "./body.ts";
import type { Head } from "./head.ts";

/** An answer that is awaited. */
export class Expected {
  readonly method: HttpRequest["method"];
  readonly head = Promise.withResolvers<Head>();
  readonly body = Promise.withResolvers<void>();
  /** Since the head has come. */
  reader: BodyReader | undefined;
  keepsAlive = false;
  interim = 0;
  /** What came of the body before anybody wanted it: with the head, or what TLS had decrypted already. */
  readonly early: Buffer[] = [];
  isWanted = false;
  sink: Sink = (chunk, release) => {
    this.early.push(Buffer.from(chunk));
    release();
  };

  constructor(method: HttpRequest["method"]) {
    this.method = method;
    // Whether anybody waits is not known yet; a failure before that must not count as unhandled.
    this.head.promise.catch(() => {});
    this.body.promise.catch(() => {});
  }
}
