// A tar's headers, read as Go's archive/tar reads them (tar-split has a copy of it): readers of zstd:chunked compare what the index says
// of a file with what they read in its header. What we could read otherwise than they do is `undefined` here: "not to be indexed".

import { isUtf8 } from "node:buffer";
import { layerInvalid } from "../layer-invalid.ts";

export const BLOCK = 512;

export interface TarHeader {
  /** `0` a file, `1` a link, `2` a symbolic link, `3` `4` devices, `5` a folder, `6` a pipe. */
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: TarTime;
  readonly accessed: TarTime | undefined;
  readonly changed: TarTime | undefined;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Values in base64. */
  readonly xattrs: Readonly<Record<string, string>>;
}

/** Since 1970; nanoseconds are not negative. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export const invalidTar = (what: string): Error =>
  layerInvalid(`the layer is not a valid tar (${what}), which zstd:chunked needs`);

/** One block, before what extended headers say. Throws `layer_invalid`. */
export interface RawHeader {
  readonly type: string;
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: number;
  readonly accessed: number | undefined;
  readonly changed: number | undefined;
  readonly devMajor: number;
  readonly devMinor: number;
}

/**
 * A header block; undefined: star's own format, what Go's tar wrote before 1.8 in place of GNU's times, numbers beyond 2^53.
 */
export function parseBlock(block: Buffer): RawHeader | undefined {
  if (!hasChecksum(block)) throw invalidTar("a header's checksum is wrong");
  const field = (at: number, length: number): Buffer => block.subarray(at, at + length);
  const number = (at: number, length: number): number => parseNumber(field(at, length));
  const magic = field(257, 8).toString("latin1");
  const isUstar = magic.startsWith("ustar\0");
  const isGnu = magic === "ustar  \0";
  const time = (at: number): number | undefined =>
    isGnu && block[at] !== 0 ? Number(numberIn(field(at, 12)) ?? Number.NaN) : undefined;
  const prefix = isUstar ? parseString(field(345, 155)) : Buffer.alloc(0);
  const name = parseString(field(0, 100));
  const hasDevices = isUstar || isGnu;
  const header = {
    type: field(156, 1).toString("latin1"),
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), name]) : name,
    linkName: parseString(field(157, 100)),
    mode: number(100, 8),
    size: number(124, 12),
    uid: number(108, 8),
    gid: number(116, 8),
    modified: number(136, 12),
    accessed: time(345),
    changed: time(357),
    devMajor: hasDevices ? number(329, 8) : 0,
    devMinor: hasDevices ? number(337, 8) : 0,
  };
  const isOdd = Object.values(header).some(
    (value) => typeof value === "number" && !Number.isSafeInteger(value),
  );
  const isStar = isUstar && field(508, 4).toString("latin1") === "tar\0";
  return isOdd || isStar ? undefined : header;
}

/** The sum of a block's bytes, the checksum itself taken as spaces; Sun's tar took the bytes as signed. */
function hasChecksum(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] as number);
    unsigned += byte;
    signed += (byte << 24) >> 24;
  }
  const stated = Number(parseOctal(block.subarray(148, 156)));
  return stated === unsigned || stated === signed;
}

export function parseString(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

function parseNumber(field: Buffer): number {
  const value = numberIn(field);
  if (value === undefined) throw invalidTar("a header's number");
  return Number(value);
}

/** Octal digits, or, with the first bit set, a binary number of two's complement; undefined: neither, or more than 64 bits. */
function numberIn(field: Buffer): bigint | undefined {
  const value = ((field[0] as number) & 0x80) === 0 ? parseOctal(field) : parseBinary(field);
  return value === undefined || value !== BigInt.asIntN(64, value) ? undefined : value;
}

function parseBinary(field: Buffer): bigint {
  const isNegative = ((field[0] as number) & 0x40) !== 0;
  let value = 0n;
  for (const [at, byte] of field.entries()) {
    const bits = isNegative ? byte ^ 0xff : byte;
    value = (value << 8n) | BigInt(at === 0 ? bits & 0x7f : bits);
  }
  return isNegative ? -value - 1n : value;
}

function parseOctal(field: Buffer): bigint | undefined {
  const text = field.toString("latin1").replace(/^[ \0]+|[ \0]+$/g, "");
  const digits = text.split("\0", 1)[0] ?? "";
  if (text === "") return 0n;
  return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : undefined;
}

/** What extended headers say of the next file, by key; values as they are. */
export type Extended = ReadonlyMap<string, Buffer>;

/** The records of an extended header: `<length> <key>=<value>\n`. Throws `layer_invalid`. */
export function parseExtended(body: Buffer): Extended {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = body.toString("latin1", at, Math.max(space, at));
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, space);
    const isWell =
      /^\+?\d+$/.test(digits) && end >= at + 5 && end <= body.length && body[end - 1] === 0x0a;
    if (!isWell || equals < 0 || equals >= end || equals === space + 1)
      throw invalidTar("an extended header");
    const key = body.toString("latin1", space + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    const isText = ["path", "linkpath", "uname", "gname"].includes(key);
    if (isText ? value.includes(0) : key.includes("\0")) throw invalidTar("an extended header");
    records.set(key, value);
    at = end;
  }
  return records;
}

const XATTR = "SCHILY.xattr.";
/** Types that have no content. */
const WITHOUT_CONTENT = "123456";

export interface LongNames {
  readonly name: Buffer | undefined;
  readonly linkName: Buffer | undefined;
}

/**
 * All that a file's headers say together; undefined where an index cannot say it: what is neither file nor folder, link, device or pipe,
 * sparse files, names that are no UTF-8, links with a size. Throws `layer_invalid`.
 */
export function mergeHeader(
  raw: RawHeader,
  extended: Extended,
  long: LongNames,
): TarHeader | undefined {
  const stated = (key: string): string => extended.get(key)?.toString("latin1") ?? "";
  const number = (key: string, otherwise: number): number =>
    stated(key) === "" ? otherwise : parseDecimal(stated(key));
  const time = (key: string, otherwise: number | undefined): TarTime | undefined =>
    stated(key) !== ""
      ? parseTime(stated(key))
      : otherwise === undefined
        ? undefined
        : { seconds: otherwise, nanoseconds: 0 };
  const text = (key: string, longName: Buffer | undefined, short: Buffer): Buffer =>
    longName !== undefined && longName.length > 0
      ? longName
      : stated(key) !== ""
        ? (extended.get(key) as Buffer)
        : short;
  const name = text("path", long.name, raw.name);
  const linkName = text("linkpath", long.linkName, raw.linkName);
  const type = raw.type !== "\0" ? raw.type : name.at(-1) === 0x2f ? "5" : "0";
  const size = number("size", raw.size);
  if (size < 0) throw invalidTar("a negative size");
  const keys = [...extended.keys()];
  const isPlain = type === "0" || (WITHOUT_CONTENT.includes(type) && size === 0);
  if (!isPlain || !isUtf8(name) || !isUtf8(linkName)) return undefined;
  if (keys.some((key) => key.startsWith("GNU.sparse.") || !isUtf8(Buffer.from(key, "latin1"))))
    return undefined;
  const xattrs = keys
    .filter((key) => key.startsWith(XATTR))
    .map((key) => [utf8(key.slice(XATTR.length)), extended.get(key)?.toString("base64") ?? ""]);
  return {
    type,
    name: name.toString(),
    linkName: linkName.toString(),
    mode: raw.mode,
    size,
    uid: number("uid", raw.uid),
    gid: number("gid", raw.gid),
    modified: time("mtime", raw.modified) as TarTime,
    accessed: time("atime", raw.accessed),
    changed: time("ctime", raw.changed),
    devMajor: raw.devMajor,
    devMinor: raw.devMinor,
    xattrs: Object.fromEntries(xattrs),
  };
}

const utf8 = (latin1: string): string => Buffer.from(latin1, "latin1").toString();

function parseDecimal(text: string): number {
  const number = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(number))
    throw invalidTar("an extended header's number");
  return number;
}

/** `<seconds>[.<fraction>]` */
function parseTime(text: string): TarTime {
  const [whole = "", fraction = ""] = text.split(/\.(.*)/s, 2);
  const seconds = parseDecimal(whole);
  if (!/^\d*$/.test(fraction)) throw invalidTar("an extended header's time");
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  return whole.startsWith("-") && nanoseconds > 0
    ? { seconds: seconds - 1, nanoseconds: 1e9 - nanoseconds }
    : { seconds, nanoseconds };
}
