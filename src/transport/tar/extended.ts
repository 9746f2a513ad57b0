// What stands before a member's header and replaces some of its fields: pax records (POSIX.1-2001) and GNU's long names.

import { TarFault, type TarHeader } from "./header.ts";

type Fields = Partial<Pick<TarHeader, "name" | "linkName" | "size">>;

/** The extended headers since the last member. */
export class Extensions {
  #pax: Fields = {};
  #long: Fields = {};

  static readonly #TYPES = new Set(["x", "L", "K"]);

  static isOne({ type }: TarHeader): boolean {
    return Extensions.#TYPES.has(type);
  }

  /** Throws TarFault for what cannot be read, and for a file with holes. */
  add({ type }: TarHeader, content: Buffer): void {
    if (type === "x") this.#pax = parsePax(content);
    else if (type === "L") this.#long = { ...this.#long, name: textIn(content) };
    else this.#long = { ...this.#long, linkName: textIn(content) };
  }

  /** The member's header as they change it; they are used up. */
  applyTo(header: TarHeader): TarHeader {
    const changed = { ...header, ...this.#pax, ...this.#long };
    this.#pax = {};
    this.#long = {};
    return changed;
  }
}

/** Records `length key=value\n`. */
function parsePax(bytes: Buffer): Fields {
  let found: Fields = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(" ", at);
    const digits = bytes.toString("latin1", at, Math.min(space, at + 16));
    const end = at + Number(digits);
    if (space < 0 || !/^[0-9]{1,15}$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw new TarFault("a pax record is not valid");
    const record = bytes.toString("utf8", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals <= 0) throw new TarFault("a pax record has no key");
    found = { ...found, ...fieldIn(record.slice(0, equals), record.slice(equals + 1)) };
    at = end;
  }
  return found;
}

function fieldIn(key: string, value: string): Fields {
  if (key.startsWith("GNU.sparse.")) throw sparse();
  // An empty value means the header's own.
  if (value === "" || !["path", "linkpath", "size"].includes(key)) return {};
  if (value.includes("\0")) throw new TarFault("a pax record has a NUL in it");
  if (key !== "size") return key === "path" ? { name: value } : { linkName: value };
  const size = Number(value);
  if (!/^[0-9]+$/.test(value) || !Number.isSafeInteger(size))
    throw new TarFault("a size in a pax record is not valid");
  return { size };
}

function textIn(content: Buffer): string {
  const end = content.indexOf(0);
  return content.toString("utf8", 0, end < 0 ? content.length : end);
}

export const sparse = (): TarFault =>
  new TarFault("it has a file with holes (sparse), which is not read");
