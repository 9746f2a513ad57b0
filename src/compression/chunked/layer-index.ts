// What readers of zstd:chunked need besides the content: the table of contents, and tar-split's account of all that is no content
// (containers/storage's `pkg/chunked`, vbatts/tar-split's `tar/storage`).

import { posix } from "node:path";
import { CompressedText } from "./frames.ts";
import type { TarHeader, TarTime } from "./tar-header.ts";

const TYPES: Readonly<Record<string, string>> = {
  "0": "reg",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "dir",
  "6": "fifo",
};

/** A file's content, as it was written; offsets are those of the compressed bytes. */
export interface WrittenContent {
  readonly digest: string;
  readonly offset: number;
  readonly endOffset: number;
  readonly chunks: readonly WrittenChunk[];
  /** CRC-64. */
  readonly sum: Buffer;
}

export interface WrittenChunk {
  readonly offset: number;
  /** Of the file's content, in bytes. */
  readonly chunkOffset: number;
  readonly chunkSize: number;
  /** Absent if it is the only one. */
  readonly chunkDigest?: string;
  readonly isHole: boolean;
}

/** Podman refuses a table of more than 150 MiB; we hold names of no more than this. */
const MOST_BYTES = 64 * 1024 * 1024;
/** RFC 3339 has four digits for a year. */
const FIRST_TIME = -62_135_596_800;
const LAST_TIME = 253_402_300_799;

export class LayerIndex {
  readonly #table: CompressedText;
  readonly #split: CompressedText;
  readonly #names = new Set<string>();
  #position = 0;
  #isFirst = true;
  #bytes = 0;

  /** `level`: zstd's own. */
  constructor(level: number) {
    this.#table = new CompressedText(level);
    this.#split = new CompressedText(level);
    this.#table.add('{"version":1,"entries":[');
  }

  get isFull(): boolean {
    return this.#bytes >= MOST_BYTES;
  }

  /** Bytes that are no content. */
  addSegment(raw: Buffer): void {
    if (raw.length > 0) this.#addSplit({ type: 2, payload: raw.toString("base64") });
  }

  /** False: the index cannot say it. A path that occurs twice, a time out of range, or there is too much already. */
  mayAdd({ name, modified, accessed, changed }: TarHeader): boolean {
    const path = posix.normalize(name).replace(/(?<=.)\/$/, "");
    const times = [modified, accessed, changed].filter((time) => time !== undefined);
    const isNew = !this.#names.has(path);
    this.#names.add(path);
    return (
      isNew &&
      !this.isFull &&
      times.every(({ seconds }) => seconds > FIRST_TIME && seconds <= LAST_TIME)
    );
  }

  addFile(header: TarHeader, content: WrittenContent | undefined): void {
    const { name, size } = header;
    const payload = content === undefined ? null : content.sum.toString("base64");
    this.#addSplit({ type: 1, name, size: orAbsent(size), payload });
    const [first, ...others] = content === undefined ? [] : content.chunks;
    const isCut = others.length > 0;
    this.#addEntry({
      ...entryOf(header),
      digest: content?.digest,
      endOffset: content?.endOffset,
      offset: content?.offset,
      ...(isCut && first !== undefined && chunkOf(first)),
    });
    for (const chunk of others) this.#addEntry({ type: "chunk", name, ...chunkOf(chunk) });
  }

  /** Both, compressed, with their sizes uncompressed. */
  end(digestOf: (bytes: Buffer) => string): IndexBytes {
    const split = this.#split.end();
    this.#table.add(`],"tarSplitDigest":${JSON.stringify(digestOf(split))}}`);
    const table = this.#table.end();
    return { table, tableBytes: this.#table.bytes, split, splitBytes: this.#split.bytes };
  }

  #addEntry(entry: object): void {
    const text = JSON.stringify(entry);
    this.#table.add(this.#isFirst ? text : `,${text}`);
    this.#isFirst = false;
    this.#bytes += text.length;
  }

  #addSplit(entry: object): void {
    const text = `${JSON.stringify({ ...entry, position: this.#position++ })}\n`;
    this.#split.add(text);
    this.#bytes += text.length;
  }
}

export interface IndexBytes {
  readonly table: Buffer;
  readonly tableBytes: number;
  readonly split: Buffer;
  readonly splitBytes: number;
}

/** Go leaves out what is zero or empty. */
const orAbsent = <T extends number | string>(value: T): T | undefined =>
  value === 0 || value === "" ? undefined : value;

const entryOf = (header: TarHeader): object => ({
  type: TYPES[header.type],
  name: header.name,
  linkName: orAbsent(header.linkName),
  mode: orAbsent(header.mode),
  size: orAbsent(header.size),
  uid: orAbsent(header.uid),
  gid: orAbsent(header.gid),
  modtime: timestamp(header.modified),
  accesstime: header.accessed && timestamp(header.accessed),
  changetime: header.changed && timestamp(header.changed),
  devMajor: orAbsent(header.devMajor),
  devMinor: orAbsent(header.devMinor),
  xattrs: Object.keys(header.xattrs).length > 0 ? header.xattrs : undefined,
});

const chunkOf = ({
  offset,
  chunkOffset,
  chunkSize,
  chunkDigest,
  isHole,
}: WrittenChunk): object => ({
  offset,
  chunkSize,
  chunkOffset: orAbsent(chunkOffset),
  chunkDigest,
  chunkType: isHole ? "zeros" : undefined,
});

/** RFC 3339 with as many digits of a second as there are. */
function timestamp({ seconds, nanoseconds }: TarTime): string {
  const fraction = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(seconds * 1000).toISOString().slice(0, -".000Z".length);
  return `${whole}${fraction === "" ? "" : `.${fraction}`}Z`;
}
