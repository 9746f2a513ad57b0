// One header of a tar archive, read and written (POSIX ustar; GNU's numbers; read as Go's archive/tar does).

/** Bytes of a header, and what every member is padded to. */
export const BLOCK = 512;

export interface TarHeader {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The type's letter: `0` a file, `2` a symbolic link, `5` a folder. */
  readonly type: string;
  /** Where a link leads. */
  readonly linkName: string;
}

const ZEROS = Buffer.alloc(BLOCK);

/** What is wrong with an archive's bytes. */
export class TarFault extends Error {}

/** Where the fields are: first byte, length. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  owner: [108, 8],
  group: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const satisfies Readonly<Record<string, readonly [number, number]>>;

type Field = keyof typeof FIELDS;

const fieldOf = (block: Buffer, field: Field): Buffer =>
  block.subarray(FIELDS[field][0], FIELDS[field][0] + FIELDS[field][1]);

/** Undefined: a block of zeros, as they end an archive. Throws TarFault. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (block.equals(ZEROS)) return undefined;
  checkSum(block);
  const type = fieldOf(block, "type").toString("latin1");
  const size = numberIn(fieldOf(block, "size"));
  return {
    name: prefixOf(block) + textIn(fieldOf(block, "name")),
    size,
    type: type === "\0" ? "0" : type,
    linkName: textIn(fieldOf(block, "linkName")),
  };
}

/** The upper part of a long name. GNU's archives have other things in its place. */
function prefixOf(block: Buffer): string {
  if (fieldOf(block, "magic").toString("latin1") !== "ustar\x0000") return "";
  // Star's archives end in a word of their own, and have times behind a shorter prefix.
  const isStar = block.toString("latin1", 508) === "tar\0";
  const prefix = textIn(fieldOf(block, "prefix").subarray(0, isStar ? 131 : 155));
  return prefix === "" ? "" : `${prefix}/`;
}

function textIn(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

/** Octal digits, or GNU's big-endian binary where the first bit is set. */
function numberIn(field: Buffer): number {
  const first = field[0] ?? 0;
  if (first < 0x80) {
    const [digits = ""] = field
      .toString("latin1")
      .replace(/^[ \0]+| +$/g, "")
      .split(/[ \0]*\0/, 1);
    if (!/^[0-7]*$/.test(digits)) throw new TarFault("a number in a header is not octal");
    return digits === "" ? 0 : Number.parseInt(digits, 8);
  }
  if (first & 0x40) throw new TarFault("a size in a header is negative");
  const value = BigInt(`0x${field.toString("hex")}`) & ((1n << BigInt(field.length * 8 - 1)) - 1n);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new TarFault("a size in a header is too large");
  return Number(value);
}

/** Some archivers took bytes for signed numbers. */
function checkSum(block: Buffer): void {
  const expected = numberIn(fieldOf(block, "checksum"));
  const [from, length] = FIELDS.checksum;
  let sum = length * 32;
  let above = 0;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= from && i < from + length) continue;
    const byte = block[i] ?? 0;
    sum += byte;
    if (byte > 127) above++;
  }
  if (sum !== expected && sum - 256 * above !== expected)
    throw new TarFault("a header's checksum is wrong");
}

/** A member to be written. */
export interface NewMember {
  readonly name: string;
  readonly type: "file" | "link" | "folder";
  /** Bytes; 0 but for files. */
  readonly size: number;
  readonly linkName?: string;
  readonly mode: number;
  /** Seconds since 1970; 0 where absent. */
  readonly modified?: number;
}

const TYPES = { file: "0", link: "2", folder: "5" } as const;

/**
 * The blocks before a member's content. How many they are depends on its names, never on its size: a header can be written before the
 * size is known, and filled in afterwards.
 */
export function formatHeader(member: NewMember): Buffer {
  const { name, linkName = "" } = member;
  const records = [
    ...(Buffer.byteLength(linkName) > FIELDS.linkName[1] ? [paxRecord("linkpath", linkName)] : []),
    ...(Buffer.byteLength(name) > FIELDS.name[1] ? [paxRecord("path", name)] : []),
  ].join("");
  const header = headerBlock(member, TYPES[member.type]);
  if (records === "") return header;
  const slash = name.lastIndexOf("/") + 1;
  const extended = {
    ...member,
    name: `${name.slice(0, slash)}PaxHeaders.0/${name.slice(slash)}`,
    linkName: "",
    size: Buffer.byteLength(records),
    mode: 0,
  };
  return Buffer.concat([headerBlock(extended, "x"), padded(Buffer.from(records)), header]);
}

function headerBlock(member: NewMember, type: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (field: Field, text: string): void => {
    const [from, length] = FIELDS[field];
    block.write(text, from, length);
  };
  const number = (field: Field, value: number): void => {
    const [from, length] = FIELDS[field];
    const digits = value.toString(8);
    if (value >= 0 && digits.length < length) put(field, `${digits.padStart(length - 1, "0")}\0`);
    else binaryOf(value, length).copy(block, from);
  };
  put("name", member.name);
  number("mode", member.mode);
  number("owner", 0);
  number("group", 0);
  number("size", member.size);
  number("modified", member.modified ?? 0);
  put("type", type);
  put("linkName", member.linkName ?? "");
  put("magic", "ustar\x0000");
  number("major", 0);
  number("minor", 0);
  put("checksum", " ".repeat(FIELDS.checksum[1]));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put("checksum", `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** As GNU writes numbers for which there are not enough octal digits: big-endian, with the first bit set. */
function binaryOf(value: number, length: number): Buffer {
  const bits = BigInt.asUintN(8 * length, BigInt(value)) | (1n << BigInt(8 * length - 1));
  return Buffer.from(bits.toString(16), "hex");
}

/** `length key=value\n`, where the length counts itself (POSIX pax). */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (Buffer.byteLength(`${length}${rest}`) !== length)
    length = Buffer.byteLength(`${length}${rest}`);
  return `${length}${rest}`;
}

/** The content, filled up with zeros to whole blocks. */
export const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc(paddingOf(content.length))]);

export const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
