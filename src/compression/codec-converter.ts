// Content through a codec in a thread of its own: for those that work through long stretches without a pause.

import { Worker } from "node:worker_threads";
import type { Answer, CodecName, CodecStart, Request } from "./codec.ts";
import type { Converter, Outlet } from "./converter.ts";
import { layerInvalid } from "./layer-invalid.ts";

export class CodecConverter implements Converter {
  readonly #outlet: Outlet;
  readonly #answers = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();
  readonly #onDone: (annotations: Readonly<Record<string, string>>) => void;
  #request: Request | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `onDone` hears what the codec has to say of the whole. */
  constructor(
    codec: { readonly name: CodecName; readonly level?: number },
    outlet: Outlet,
    signal: AbortSignal,
    onDone: (annotations: Readonly<Record<string, string>>) => void = () => {},
  ) {
    this.#outlet = outlet;
    this.#onDone = onDone;
    const start: CodecStart = { name: codec.name, level: codec.level ?? 0, answers: this.#answers };
    this.#worker = new Worker(new URL("./codec-worker.ts", import.meta.url), { workerData: start });
    this.#worker.on("message", (request: Request) => {
      this.#request = request;
      this.#wake?.();
    });
    const fail = (error: unknown): void => {
      this.#failure ??= { error };
      this.#wake?.();
    };
    this.#worker.on("error", fail);
    this.#worker.on("exit", () => {
      fail(new Error("the codec's thread has ended"));
      this.#ended.resolve();
    });
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
  }

  async write(chunk: Buffer): Promise<void> {
    // A copy of the chunk alone: what is sent as a view goes with all that it is a view of.
    const bytes = new Uint8Array(chunk);
    if (bytes.length > 0 && (await this.#work()) === "read") this.#answer({ bytes });
    else if (bytes.length > 0) throw new Error("the codec ended before its input");
  }

  async end(): Promise<void> {
    if ((await this.#work()) === "read") this.#answer({});
    if ((await this.#work()) === "read") throw new Error("the codec reads past the end");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
    await this.#ended.promise;
  }

  /** Lends what the codec writes, until it wants to read or is done. */
  async #work(): Promise<"read" | "done"> {
    for (;;) {
      const request = await this.#next();
      if (request.type === "invalid") throw layerInvalid(request.message);
      if (request.type === "read") return "read";
      if (request.type === "done") {
        this.#onDone(request.annotations);
        return "done";
      }
      const { buffer, byteOffset, byteLength } = request.bytes;
      this.#outlet.lend(Buffer.from(buffer, byteOffset, byteLength));
      await this.#outlet.room();
      this.#answer({});
    }
  }

  /** What the thread asks for now. */
  async #next(): Promise<Request> {
    while (this.#request === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#request;
  }

  #answer(answer: Answer): void {
    this.#request = undefined;
    this.#worker.postMessage(answer, answer.bytes === undefined ? [] : [answer.bytes.buffer]);
    Atomics.add(this.#answers, 0, 1);
    Atomics.notify(this.#answers, 0);
  }
}
