// JSON as Go's encoder writes it: a config or manifest that is made here must have the digest that containers/image gives it. No
// blanks, `<`, `>` and `&` escaped, maps sorted, fields in the order of Go's structs, and those at their zero value left out where the
// struct says `omitempty` (semantics 0.2). Each function returns JSON text.

export type Json = string;

export const goString = (value: string): Json => escaped(JSON.stringify(value.toWellFormed()));

export const goStrings = (values: readonly string[]): Json => goArray(values.map(goString));

export const goArray = (items: readonly Json[]): Json => `[${items.join(",")}]`;

/** A struct: the fields in the order given, less those that are undefined. */
export const goStruct = (fields: Readonly<Record<string, Json | undefined>>): Json =>
  `{${Object.entries(fields)
    .flatMap(([name, value]) => (value === undefined ? [] : [`"${name}":${value}`]))
    .join(",")}}`;

/** A map: its keys in the order of their bytes. */
export const goMap = (entries: Iterable<readonly [string, Json]>): Json =>
  `{${Array.from(entries, ([key, value]) => [Buffer.from(key.toWellFormed()), value] as const)
    .sort(([a], [b]) => a.compare(b))
    .map(([key, value]) => `${goString(key.toString())}:${value}`)
    .join(",")}}`;

export const goStringMap = (map: Readonly<Record<string, string>>): Json =>
  goMap(Object.entries(map).map(([key, value]) => [key, goString(value)]));

/** A value that was kept as text (Go's RawMessage): compact already, and otherwise letter for letter what it was. */
export const goRaw = (compact: string): Json => escaped(compact);

/** `omitempty`: nothing for an empty or absent value. */
export function unlessEmpty<T extends string | object>(
  value: T | undefined,
  encode: (value: T) => Json,
): Json | undefined {
  if (value === undefined || value === "") return undefined;
  return typeof value === "object" && Object.keys(value).length === 0 ? undefined : encode(value);
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/**
 * A time as Go writes one that it has read (RFC 3339): nanoseconds at most, without zeros at their end, `Z` for no offset. Undefined
 * where Go refuses to read or to write it.
 */
export function goTime(text: string): string | undefined {
  const [whole, year = "", month = "", day = "", ...rest] = TIME.exec(text) ?? [];
  const [hour = "", minute = "", second = "", fraction = "", sign, hours = "", minutes = ""] = rest;
  if (whole === undefined || Number(month) < 1 || Number(month) > 12) return undefined;
  // Day 0 of the next month is the last of this one. Dates before the year 100 must not be taken for 19xx.
  const last = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  if (Number(day) < 1 || Number(day) > last) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const nanoseconds = fraction.slice(0, 9).replace(/0+$/, "");
  const offset =
    Number(hours) === 0 && Number(minutes) === 0 ? "Z" : `${sign ?? ""}${hours}:${minutes}`;
  return `${year}-${month}-${day}T${hour.padStart(2, "0")}:${minute}:${second}${nanoseconds && `.${nanoseconds}`}${offset}`;
}

/** Go's zero time, which it writes for one that is absent. */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

/** What Go escapes besides JSON's own, so that the text may stand in HTML. */
const ESCAPES: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

const escaped = (json: string): Json => json.replace(/[<>&\u2028\u2029]/g, (c) => ESCAPES[c] ?? c);
