import { layerInvalid } from "../layer-invalid.ts";

/** Bytes that are there from the beginning; more are added as they are needed. */
const FIRST = 1024 * 1024;
/** Bytes that are written at a time. */
const PIECE = 256 * 1024;

/** What came out last, to repeat from; it hands on what it is given. */
export class Dictionary {
  readonly #limit: number;
  readonly #write: (bytes: Uint8Array) => void;
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  /** What is before it was written. */
  #written = 0;
  /** How many of the last bytes there are, no more than the limit. */
  #full = 0;

  constructor(limit: number, write: (bytes: Uint8Array) => void) {
    this.#limit = limit;
    this.#write = write;
    this.#bytes = new Uint8Array(Math.min(limit, FIRST));
  }

  /** Bytes since the last reset, but for a multiple of 2,048. */
  get position(): number {
    return this.#at;
  }

  /** Forgets what came. */
  reset(): void {
    this.flush();
    this.#at = 0;
    this.#written = 0;
    this.#full = 0;
  }

  put(byte: number): void {
    this.#bytes[this.#at++] = byte;
    if (this.#full < this.#limit) this.#full++;
    if (this.#at - this.#written === PIECE || this.#at === this.#bytes.length) this.#turn();
  }

  /** The byte that came `distance` + 1 bytes ago; 0 before the first. */
  get(distance: number): number {
    if (distance >= this.#full) return 0;
    const at = this.#at - distance - 1;
    return this.#bytes[at < 0 ? at + this.#bytes.length : at] as number;
  }

  /** Puts again what came `distance` + 1 bytes ago. */
  repeat(distance: number, length: number): void {
    if (distance >= this.#full)
      throw layerInvalid("the layer's xz data is damaged (it repeats what was not there)");
    for (let i = 0; i < length; i++) this.put(this.get(distance));
  }

  /** Writes what is not written yet. */
  flush(): void {
    if (this.#at > this.#written) this.#write(this.#bytes.subarray(this.#written, this.#at));
    this.#written = this.#at;
  }

  #turn(): void {
    this.flush();
    if (this.#at < this.#bytes.length) return;
    if (this.#bytes.length < this.#limit) {
      const bytes = new Uint8Array(Math.min(this.#limit, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    } else {
      this.#at = 0;
      this.#written = 0;
    }
  }
}
