// Documents that must be exactly as they are described: no unknown key, no missing one, no other type (semantics 0.2, the "paranoid"
// parser). That no key occurs twice is seen to by image/json.ts.

import { isObject } from "../image/json.ts";

/** What is wrong with a document, and where: `pointer` is a JSON pointer. */
export class DocumentFault extends Error {
  override readonly name = "DocumentFault";
  readonly pointer: string;

  constructor(pointer: string, detail: string) {
    super(detail);
    this.pointer = pointer;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** The object at a pointer. Throws DocumentFault if it is none. */
export function objectAt(value: unknown, pointer: string): Fields {
  if (!isObject(value)) throw new DocumentFault(pointer, "is not a JSON object");
  return value;
}

/** The object at a pointer, with these keys and no other. Throws DocumentFault. */
export function fieldsAt(
  value: unknown,
  pointer: string,
  required: readonly string[],
  optional: readonly string[] = [],
): Fields {
  const fields = objectAt(value, pointer);
  for (const key of Object.keys(fields))
    if (!required.includes(key) && !optional.includes(key))
      throw new DocumentFault(below(pointer, key), "is not known here");
  for (const key of required)
    if (!Object.hasOwn(fields, key)) throw new DocumentFault(below(pointer, key), "is missing");
  return fields;
}

/** The text at a pointer. Throws DocumentFault if it is none. */
export function stringAt(value: unknown, pointer: string): string {
  if (typeof value !== "string") throw new DocumentFault(pointer, "is not a string");
  return value;
}

/** The bytes that a text spells in standard base64; Node's own decoder skips what is none. Throws DocumentFault. */
export function base64At(value: unknown, pointer: string): Buffer {
  const bytes = decodeBase64(stringAt(value, pointer));
  if (bytes === undefined) throw new DocumentFault(pointer, "is not base64");
  return bytes;
}

/** Undefined: it is not standard base64 with its padding. Line ends in it are taken, as Go takes them. */
export function decodeBase64(text: string): Buffer | undefined {
  const letters = text.replaceAll(/[\r\n]/g, "");
  const isBase64 = letters.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(letters);
  return isBase64 ? Buffer.from(letters, "base64") : undefined;
}

export const below = (pointer: string, key: string | number): string =>
  `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** What an error says, with the place that a DocumentFault knows; what strangers wrote is cut. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error instanceof DocumentFault && error.pointer !== "" ? `${error.pointer} ` : "";
  return `${place}${error.message}`.slice(0, 500);
}
