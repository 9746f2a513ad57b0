// Where an answer's body is in the bytes that come.

import { HttpError, type Framing } from "./head.ts";

export interface BodyReader {
  /** Bytes that are still to come, as far as that is known. */
  readonly left: number;
  /** The body is whole; what follows is not part of it. */
  readonly done: boolean;
  /** Reads the first `used` bytes of what has come; `data` is the part of them that belongs to the body. Throws HttpError. */
  take(bytes: Buffer): { readonly used: number; readonly data: Buffer | undefined };
  /** The connection has ended: is the body whole? */
  end(): boolean;
}

export const bodyReader = (framing: Framing): BodyReader =>
  framing === "chunked" ? new Chunks() : new Run(framing === "close" ? Infinity : framing);

/** A number of bytes, or all that come. */
class Run implements BodyReader {
  left: number;

  constructor(length: number) {
    this.left = length;
  }

  get done(): boolean {
    return this.left === 0;
  }

  take(bytes: Buffer): { used: number; data: Buffer } {
    const data = bytes.length > this.left ? bytes.subarray(0, this.left) : bytes;
    this.left -= data.length;
    return { used: data.length, data };
  }

  end(): boolean {
    return this.done || this.left === Infinity;
  }
}

/** Bytes of the line before a chunk, and of all lines after the last one. */
const LINE_LIMIT = 1024;
const TRAILERS_LIMIT = 16 * 1024;

/** What comes next in a chunked body. */
type Part = "size" | "data" | "line end" | "trailer" | "nothing";

/** RFC 9112, section 7.1. Extensions and trailers are passed over. */
class Chunks implements BodyReader {
  readonly left = Infinity;
  #awaits: Part = "size";
  #chunk = 0;
  #line = "";
  #trailers = 0;

  get done(): boolean {
    return this.#awaits === "nothing";
  }

  end(): boolean {
    return this.done;
  }

  take(bytes: Buffer): { used: number; data: Buffer | undefined } {
    if (this.#awaits !== "data") return { used: this.#takeLine(bytes), data: undefined };
    const data = bytes.subarray(0, this.#chunk);
    this.#chunk -= data.length;
    if (this.#chunk === 0) this.#awaits = "line end";
    return { used: data.length, data };
  }

  #takeLine(bytes: Buffer): number {
    const end = bytes.indexOf("\n") + 1;
    const used = end === 0 ? bytes.length : end;
    if (this.#line.length + used > LINE_LIMIT) throw new HttpError("a chunk's line is too long");
    this.#line += bytes.toString("latin1", 0, used);
    if (end > 0) {
      this.#awaits = this.#after(this.#line);
      this.#line = "";
    }
    return used;
  }

  #after(line: string): Part {
    if (this.#awaits === "line end" && line === "\r\n") return "size";
    if (this.#awaits === "trailer") {
      this.#trailers += line.length;
      if (line === "\r\n") return "nothing";
      if (/^[^\s:]+:.*\r\n$/.test(line) && this.#trailers <= TRAILERS_LIMIT) return "trailer";
    }
    const size =
      this.#awaits === "size" ? /^([0-9a-f]{1,12})(;[\t\x20-\x7e]*)?\r\n$/i.exec(line) : null;
    if (size === null) throw new HttpError("a chunk does not end where it should");
    this.#chunk = parseInt(size[1] ?? "", 16);
    return this.#chunk === 0 ? "trailer" : "data";
  }
}
