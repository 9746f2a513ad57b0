// Content to compress, programs that do it as well, and an eye on what is lent.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import type { Bytes, Sink } from "../../src/bytes.ts";

/** What a program makes of its input; throws if it fails. */
export function piped(program: string, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    input,
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? stderr.toString()}`);
  return stdout;
}

/** Bytes that look random, the same for the same seed. */
export function randomBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Like a layer's content: words, random bytes and zeros in turn. */
export function mixedBytes(length: number, seed = 1): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, i = seed; at < length; i++) {
    const size = 1000 + ((i * 7919) % 60_000);
    const words = Buffer.from(
      `/usr/lib/part-${i}/file-${i * 31}: ${i ** 3}\n`.repeat(size / 40 + 1),
    );
    const part = [words, randomBytes(size, i), Buffer.alloc(size)][i % 3] as Buffer;
    parts.push(part.subarray(0, size));
    at += size;
  }
  return Buffer.concat(parts).subarray(0, length);
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** The data as a source that lends so many pieces at most, in buffers that are overwritten as soon as they come back. */
export class Lender implements Bytes {
  readonly #data: Buffer;
  readonly #piece: number;
  readonly #most: number;
  readonly #failure: { readonly after: number; readonly error: Error } | undefined;
  /** Pieces that are away. */
  lent = 0;
  /** Bytes that were lent. */
  given = 0;

  constructor(
    data: Buffer,
    piece = 64 * 1024,
    failure?: { after: number; error: Error },
    most = 4,
  ) {
    this.#data = data;
    this.#piece = piece;
    this.#most = most;
    this.#failure = failure;
  }

  async pour(sink: Sink, signal: AbortSignal): Promise<void> {
    let wake = (): void => {};
    signal.addEventListener("abort", () => wake(), { once: true });
    for (let at = 0; at < this.#data.length; at += this.#piece) {
      while (this.lent >= this.#most && !signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve));
      signal.throwIfAborted();
      if (this.#failure !== undefined && at >= this.#failure.after) throw this.#failure.error;
      const chunk = Buffer.from(this.#data.subarray(at, at + this.#piece));
      let isBack = false;
      this.lent++;
      this.given += chunk.length;
      sink(chunk, () => {
        assert.ok(!isBack, "a chunk was released twice");
        isBack = true;
        chunk.fill(0xee);
        this.lent--;
        wake();
      });
    }
    signal.throwIfAborted();
  }
}

export interface TarFile {
  readonly name: string | Buffer;
  readonly content?: Buffer;
  /** `0` a file, which it is if nothing is said. */
  readonly type?: string;
  readonly linkName?: string;
  /** Raw fields of the header, by their place; before the checksum is made. */
  readonly fields?: Readonly<Record<number, string | Buffer>>;
  /** Records of an extended header before it. */
  readonly extended?: Readonly<Record<string, string | Buffer>>;
}

/** A tar of these files, with its end marks. */
export const tarOf = (...files: readonly TarFile[]): Buffer =>
  Buffer.concat([...files.map(tarMember), Buffer.alloc(1024)]);

export function tarMember(file: TarFile): Buffer {
  const {
    name,
    content = Buffer.alloc(0),
    type = "0",
    linkName = "",
    fields = {},
    extended,
  } = file;
  const header = Buffer.alloc(512);
  Buffer.from(name).copy(header, 0);
  const put = (at: number, text: string | Buffer): number => Buffer.from(text).copy(header, at);
  put(100, "0000644\0");
  put(108, "0001750\0");
  put(116, "0001751\0");
  put(124, `${content.length.toString(8).padStart(11, "0")}\0`);
  put(136, "14371573333\0");
  put(156, type);
  put(157, linkName);
  put(257, "ustar\x0000");
  for (const [at, value] of Object.entries(fields)) put(Number(at), value);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  const before =
    extended === undefined
      ? []
      : [tarMember({ name: "PaxHeader", type: "x", content: recordsOf(extended) })];
  return Buffer.concat([...before, header, content, Buffer.alloc(-content.length & 511)]);
}

function recordsOf(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
      const digits = [1, 2, 3, 4, 5].find(
        (count) => String(rest.length + count).length === count,
      ) as number;
      return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
    }),
  );
}
