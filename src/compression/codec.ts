// What a codec's thread and the converter that runs it say to each other: the thread asks, and sleeps until it is answered.

/** Bytes in, bytes out, for code that simply waits for them. */
export interface Flow {
  /** The next bytes, at least one; undefined after the last. */
  readonly read: () => Uint8Array | undefined;
  /** Takes bytes, which are the codec's again afterwards. Keep them at 256 KiB at most. */
  readonly write: (bytes: Uint8Array) => void;
}

/** Reads all, writes all; returns what annotations have to say of it. Throws `layer_invalid`. */
export type Codec = (flow: Flow) => Readonly<Record<string, string>>;

export type CodecName = "bzip2" | "xz" | "zstd:chunked";

export interface CodecStart {
  readonly name: CodecName;
  /** For one that compresses: zstd's own level. */
  readonly level: number;
  /** Counts the answers that were sent. */
  readonly answers: Int32Array<SharedArrayBuffer>;
}

export type Request =
  | { readonly type: "read" }
  | { readonly type: "write"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "done"; readonly annotations: Readonly<Record<string, string>> }
  /** The bytes are not what they should be. */
  | { readonly type: "invalid"; readonly message: string };

/** To `read`: bytes, or none after the last. To `write`: nothing. */
export interface Answer {
  readonly bytes?: Uint8Array<ArrayBuffer>;
}
