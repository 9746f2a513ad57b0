// gzip and zstd, decompressed by node:zlib on libuv's threads.

import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import type { Converter, Outlet } from "./converter.ts";
import { layerInvalid } from "./layer-invalid.ts";

type Algorithm = "gzip" | "zstd";

/** Bytes that come out at a time. */
const CHUNK = 256 * 1024;
/** A zstd frame must not need more than 128 MiB of what came before (reliability T24). */
const WINDOW_LOG = 27;

const open = (algorithm: Algorithm) =>
  algorithm === "gzip"
    ? createGunzip({ chunkSize: CHUNK })
    : createZstdDecompress({
        chunkSize: CHUNK,
        params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
      });

/**
 * Decompresses members or frames to the end of what is written. node:zlib ends silently where something else follows the last one: that
 * is an error here, but for zero bytes after gzip, which are padding.
 */
export class ZlibConverter implements Converter {
  readonly #algorithm: Algorithm;
  readonly #stream: ReturnType<typeof open>;
  readonly #closed: Promise<void>;
  #error: unknown;
  #given = 0;
  /** The last member or frame has ended. */
  #ended = false;
  /** Settles what is waited for; node's streams do not call back what was under way when they are destroyed. */
  #settle: (() => void) | undefined;

  constructor(algorithm: Algorithm, outlet: Outlet, signal: AbortSignal) {
    this.#algorithm = algorithm;
    const stream = open(algorithm);
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    stream.on("close", () => {
      this.#settle?.();
      resolve();
    });
    stream.on("error", (error) => (this.#error ??= error));
    stream.on("data", (chunk: Buffer) => {
      outlet.lend(chunk);
      if (!outlet.isFull) return;
      stream.pause();
      void outlet.room().then(
        () => stream.resume(),
        () => stream.destroy(),
      );
    });
    signal.addEventListener("abort", () => stream.destroy(), { once: true });
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#ended) return this.#checkTail(chunk);
    this.#given += chunk.length;
    await this.#done((settle) => this.#stream.write(chunk, settle));
    const left = this.#given - this.#stream.bytesWritten;
    if (left === 0) return;
    this.#ended = true;
    this.#checkTail(chunk.subarray(chunk.length - left));
  }

  async end(): Promise<void> {
    await this.#done((settle) => this.#stream.once("end", settle).end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
    await this.#closed;
  }

  async #done(start: (settle: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      if (this.#stream.destroyed) resolve();
      else start(resolve);
    });
    if (this.#error !== undefined) throw this.#failure(this.#error);
  }

  #checkTail(tail: Buffer): void {
    if (this.#algorithm === "gzip" && isZero(tail)) return;
    throw layerInvalid(`something else follows the layer's ${this.#algorithm} data`);
  }

  #failure(error: unknown): unknown {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "Z_BUF_ERROR")
      return layerInvalid(`the layer's ${this.#algorithm} data is cut short`, error);
    if (code === "ZSTD_error_frameParameter_windowTooLarge")
      return layerInvalid("the layer's zstd data needs a window of more than 128 MiB", error);
    return code.startsWith("ZSTD_error_") || code === "Z_DATA_ERROR" || code === "Z_NEED_DICT"
      ? layerInvalid(`the layer's ${this.#algorithm} data is damaged (${code})`, error)
      : error;
  }
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
