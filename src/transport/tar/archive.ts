// The members of a tar archive, found by name without unpacking anything: no name of a member ever becomes a path on the disk
// (reliability T38).

import { posix } from "node:path";
import { CopyError, type ErrorContext } from "../../errors.ts";
import { readAt, readInto, type Region, type RegularFile } from "../files.ts";
import { Extensions, sparse } from "./extended.ts";
import { BLOCK, paddingOf, parseHeader, TarFault, type TarHeader } from "./header.ts";

/** Bounds of what is kept of an archive: members; bytes of one extended header, and of all. */
const LIMITS = { members: 100_000, extended: 1024 * 1024, allExtended: 16 * 1024 * 1024 } as const;
/** Bytes that are read at once while headers are looked for. */
const WINDOW = 64 * 1024;

interface Member extends Region {
  readonly type: string;
  readonly linkName: string;
}

export interface TarArchive {
  /**
   * Where a file is; one symbolic link is followed, as containers/image does. Undefined: no member has that name. Throws
   * `manifest_invalid` for what is neither.
   */
  find(name: string): Region | undefined;
}

/**
 * Reads all headers of a tar archive. `kept`: which of several members of one name counts; readers of an archive take the first, those
 * that unpack it the last. Throws `manifest_invalid` for what is no tar archive, is cut short, or is beyond our bounds.
 */
export async function readArchive(
  file: RegularFile,
  kept: "first" | "last",
  context: ErrorContext,
  signal: AbortSignal,
): Promise<TarArchive> {
  const members = new Map<string, Member>();
  const invalid = (why: string, cause?: unknown) =>
    new CopyError("manifest_invalid", `the tar archive is refused: ${why}`, context, cause);
  try {
    for await (const { name, member } of membersIn(file, signal))
      if (kept === "last" || !members.has(name)) members.set(name, member);
  } catch (error) {
    if (error instanceof TarFault) throw invalid(error.message, error);
    throw error;
  }
  return {
    find(wanted) {
      const name = cleaned(wanted);
      const there = members.get(name);
      const member =
        there?.type === "2"
          ? members.get(cleaned(posix.join(posix.dirname(name), there.linkName)))
          : there;
      if (member === undefined) return undefined;
      if (member.type === "0" || member.type === "7") return member;
      throw invalid(`\`${name.slice(0, 100)}\` in it is not a regular file, but ${kindOf(member)}`);
    },
  };
}

const KINDS: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a link to a link",
  "5": "a folder",
};
const kindOf = ({ type }: Member): string => KINDS[type] ?? "something special";

/** As Go's path.Clean has it. */
const cleaned = (name: string): string => posix.normalize(name).replace(/(?<=.)\/$/, "");

/** Types whose size is not followed by content. */
const WITHOUT_CONTENT = new Set(["1", "2", "3", "4", "5", "6"]);

async function* membersIn(
  file: RegularFile,
  signal: AbortSignal,
): AsyncGenerator<{ readonly name: string; readonly member: Member }> {
  const window = new Window(file, signal);
  const extensions = new Extensions();
  const seen = { members: 0, extendedBytes: 0 };
  for (let position = 0; ;) {
    const own = await headerAt(window, position, file.size);
    if (own === undefined) return;
    position += BLOCK;
    if (own.type === "S") throw sparse();
    if (Extensions.isOne(own)) {
      if (own.size > LIMITS.extended || (seen.extendedBytes += own.size) > LIMITS.allExtended)
        throw new TarFault("its extended headers are too large");
      extensions.add(own, await window.whole(position, own.size));
      position += own.size + paddingOf(own.size);
      continue;
    }
    // Fields for all that follows (`g`) hold nothing that is needed here.
    const { name, linkName, type, size } = own.type === "g" ? own : extensions.applyTo(own);
    const member = { offset: position, size: WITHOUT_CONTENT.has(type) ? 0 : size, type, linkName };
    if (position + member.size > file.size) throw cutShort();
    if (++seen.members > LIMITS.members)
      throw new TarFault(`it has more than ${LIMITS.members} members`);
    if (type !== "g") yield { name: cleaned(name), member };
    position += member.size + paddingOf(member.size);
  }
}

/** Undefined at the end: two blocks of zeros, or (as Go and others have it) none. */
async function headerAt(
  window: Window,
  position: number,
  end: number,
): Promise<TarHeader | undefined> {
  if (position >= end) return undefined;
  const header = parseHeader(await window.whole(position, BLOCK));
  if (header !== undefined) return header;
  const next = await window.at(position + BLOCK, BLOCK);
  if (next.some((byte) => byte !== 0)) throw new TarFault("it goes on behind its end");
  return undefined;
}

const cutShort = (): TarFault => new TarFault("it is cut short");

/** Small reads near one another, served from one larger read. */
class Window {
  readonly #file: RegularFile;
  readonly #signal: AbortSignal;
  readonly #buffer = Buffer.alloc(WINDOW);
  #start = 0;
  #length = 0;

  constructor(file: RegularFile, signal: AbortSignal) {
    this.#file = file;
    this.#signal = signal;
  }

  /** The bytes from `position` on, valid until the next call; fewer than `length` at the file's end. */
  async at(position: number, length: number): Promise<Buffer> {
    this.#signal.throwIfAborted();
    if (length > WINDOW) return readAt(this.#file, { offset: position, size: length });
    if (position < this.#start || position + length > this.#start + this.#length) {
      this.#start = position;
      this.#length = await readInto(this.#file, this.#buffer, position);
    }
    const from = position - this.#start;
    return this.#buffer.subarray(from, Math.min(from + length, this.#length));
  }

  /** The same; throws TarFault where the file ends before. */
  async whole(position: number, length: number): Promise<Buffer> {
    const bytes = await this.at(position, length);
    if (bytes.length < length) throw cutShort();
    return bytes;
  }
}
