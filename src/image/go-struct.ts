// JSON as Go's decoder reads it into a struct: keys in any spelling, and an absent or null field is its type's zero value.

import { goTime, ZERO_TIME } from "./go-json.ts";
import { foldKey, isObject } from "./json.ts";

/** The fields of one object. Each method throws an Error that names the field where its value is not of the type asked for. */
export class GoStruct {
  readonly #fields: ReadonlyMap<string, unknown>;
  /** What comes before a field's name, such as `config.`. */
  readonly #prefix: string;

  /** `name`: the object's own, "" for the document. Throws where two keys mean one field. */
  constructor(value: unknown, name = "") {
    this.#prefix = name === "" ? "" : `${name}.`;
    if (!isObject(value ?? {})) throw new Error(`\`${name}\` is not an object`);
    const fields = new Map<string, unknown>();
    for (const [key, field] of Object.entries(value ?? {})) {
      if (fields.has(foldKey(key)))
        throw new Error(`the key \`${this.#prefix}${key}\` occurs in two spellings`);
      fields.set(foldKey(key), field);
    }
    this.#fields = fields;
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  string(name: string): string {
    return this.#typed(name, isString, "a string") ?? "";
  }

  flag(name: string): boolean {
    return this.#typed(name, isBoolean, "true or false") ?? false;
  }

  integer(name: string): number {
    return this.#typed(name, isInteger, "an integer") ?? 0;
  }

  strings(name: string): readonly string[] | undefined {
    return this.#typed(name, isStringList, "a list of strings")?.map((item) => item ?? "");
  }

  /** A command: a list, or one string, as old versions of docker wrote it. */
  command(name: string): readonly string[] | undefined {
    return isString(this.#value(name)) ? [this.string(name)] : this.strings(name);
  }

  stringMap(name: string): Readonly<Record<string, string>> | undefined {
    const map = this.#typed(name, isStringMap, "an object of strings");
    return map && Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value ?? ""]));
  }

  /** The keys of an object whose values say nothing. */
  set(name: string): readonly string[] | undefined {
    const map = this.#typed(name, isSet, "an object of empty objects");
    return map && Object.keys(map);
  }

  /** As Go writes it (RFC 3339). */
  time(name: string): string | undefined {
    const text = this.#typed(name, isString, "a time");
    if (text === undefined) return undefined;
    const time = goTime(text);
    if (time === undefined)
      throw new Error(`\`${this.#prefix}${name}\` is not a time as RFC 3339 has it`);
    return time;
  }

  /** A time that Go keeps in place: there is always one. */
  timeOrZero(name: string): string {
    return this.time(name) ?? ZERO_TIME;
  }

  struct(name: string): GoStruct {
    return new GoStruct(this.#value(name), `${this.#prefix}${name}`);
  }

  structs(name: string): readonly GoStruct[] | undefined {
    return this.#typed(name, Array.isArray, "a list")?.map(
      (item: unknown, i) => new GoStruct(item, `${this.#prefix}${name}[${i}]`),
    );
  }

  #value(name: string): unknown {
    return this.#fields.get(foldKey(name)) ?? undefined;
  }

  #typed<T>(name: string, is: (value: unknown) => value is T, what: string): T | undefined {
    const value = this.#value(name);
    if (value === undefined || is(value)) return value;
    throw new Error(`\`${this.#prefix}${name}\` is not ${what}`);
  }
}

const isString = (value: unknown): value is string => typeof value === "string";
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isStringOrNull = (value: unknown): value is string | null =>
  value === null || isString(value);
const isStringList = (value: unknown): value is readonly (string | null)[] =>
  Array.isArray(value) && value.every(isStringOrNull);
const isStringMap = (value: unknown): value is Readonly<Record<string, string | null>> =>
  isObject(value) && Object.values(value).every(isStringOrNull);
const isSet = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) && Object.values(value).every((item) => item === null || isObject(item));
