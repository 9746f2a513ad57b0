// Tar archives for tests: written plainly, read with what GNU tar, Go and docker add to it. Written and read apart from src, so
// that it can judge what src writes.

export type MemberType = "file" | "folder" | "symlink" | "link" | "other";

export interface TarMember {
  readonly name: string;
  readonly type: MemberType;
  readonly content: Buffer;
  /** Where a link points; empty for what is none. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

const BLOCK = 512;
const FLAG_OF = { file: "0", link: "1", symlink: "2", folder: "5", other: "9" } as const;

/** A header's flag; the oldest archives have none for a file. */
const typeOf = (flag: string): MemberType =>
  flag === "\0"
    ? "file"
    : ((Object.keys(FLAG_OF) as MemberType[]).find((type) => FLAG_OF[type] === flag) ?? "other");

/** An archive of these members; what is not given is empty, owned by root, from 1970, and 0644 (a folder 0755). */
export function packTar(members: readonly (Partial<TarMember> & { name: string })[]): Buffer {
  const blocks = members.flatMap((member) => [
    // GNU tar's way to give a member a name that does not fit its header.
    ...(member.name.length > 100
      ? blocksOf({ name: "././@LongLink", content: Buffer.from(`${member.name}\0`) }, "L")
      : []),
    ...blocksOf(member, FLAG_OF[member.type ?? "file"]),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function blocksOf(member: Partial<TarMember> & { name: string }, flag: string): Buffer[] {
  const { content = Buffer.alloc(0) } = member;
  return [
    headerOf(member, flag, content.length),
    content,
    Buffer.alloc(-content.length & (BLOCK - 1)),
  ];
}

function headerOf(
  member: Partial<TarMember> & { name: string },
  flag: string,
  size: number,
): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, "0"), at);
  header.write(member.name.slice(0, 100), 0);
  octal(member.mode ?? (member.type === "folder" ? 0o755 : 0o644), 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(member.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(member.mtime ?? 0, 136, 12);
  header.write("        ", 148);
  header.write(flag, 156);
  header.write(member.target ?? "", 157);
  header.write("ustar\x0000", 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  header.write(" ", 155);
  return header;
}

/** The members in their order. Throws where the bytes are no archive, or end before it does. */
export function listTar(tar: Buffer): readonly TarMember[] {
  const members: TarMember[] = [];
  let extra: Record<string, string> = {};
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return members;
    checkSum(header, at);
    const size = Number(extra["size"] ?? numberAt(header, 124, 12));
    const content = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length !== size) throw new Error(`the archive ends within a member, at ${at}`);
    at += BLOCK + size + (-size & (BLOCK - 1));
    const flag = String.fromCharCode(header[156] as number);
    if (flag === "g") continue;
    if (flag === "x") extra = { ...extra, ...recordsOf(content) };
    else if (flag === "L") extra["path"] = textOf(content);
    else if (flag === "K") extra["linkpath"] = textOf(content);
    else {
      members.push(memberOf(header, content, extra));
      extra = {};
    }
  }
  throw new Error("the archive has no end");
}

function memberOf(header: Buffer, content: Buffer, extra: Record<string, string>): TarMember {
  const prefix = textOf(header.subarray(345, 500));
  const name = textOf(header.subarray(0, 100));
  return {
    name: extra["path"] ?? (prefix === "" ? name : `${prefix}/${name}`),
    type: typeOf(String.fromCharCode(header[156] as number)),
    content,
    target: extra["linkpath"] ?? textOf(header.subarray(157, 257)),
    mode: numberAt(header, 100, 8),
    uid: numberAt(header, 108, 8),
    gid: numberAt(header, 116, 8),
    mtime: Number(extra["mtime"] ?? numberAt(header, 136, 12)),
  };
}

function checkSum(header: Buffer, at: number): void {
  const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (sum !== numberAt(header, 148, 8)) throw new Error(`no tar header at ${at}`);
}

const numberAt = (header: Buffer, at: number, length: number): number =>
  Number.parseInt(textOf(header.subarray(at, at + length)).trim() || "0", 8);

function textOf(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

/** A pax header's `length key=value` lines. */
function recordsOf(content: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < content.length;) {
    const length = Number.parseInt(content.toString("latin1", at, at + 20), 10);
    const record = content.toString("utf8", content.indexOf(" ", at) + 1, at + length - 1);
    const equals = record.indexOf("=");
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}
