// JSON from strangers. JSON.parse alone is not enough: nesting and token bombs block the event loop for seconds, duplicate and
// case-variant keys mean different things to different readers (Go decodes keys case-insensitively, the last one wins), and
// integers above 2^53 are rounded without a word. So the bytes are scanned once before they are parsed.

/** Bounds of a document (reliability T22). */
const JSON_LIMITS = { depth: 64, tokens: 500_000 } as const;

/** How a document is read; what is absent is the first of each. */
export interface JsonRules {
  /** Which keys may not occur together: the same in any spelling, or (for objects whose keys are free, as labels are) the same. */
  readonly keys?: "folded" | "exact";
  /** Whether `1.0` and `1e3` are numbers, or Infinity: to Go they are no integers. */
  readonly numbers?: "any" | "integers";
}

/**
 * Parses one JSON document. Throws an Error that says what is wrong: not UTF-8, too deep, too many values, a key that occurs twice
 * or in two spellings, a number that is not kept exactly, anything after the document.
 */
export function parseJson(bytes: Uint8Array, rules: JsonRules = {}): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const { fractions } = scan(text, rules.keys ?? "folded");
  return JSON.parse(rules.numbers === "integers" ? integersOnly(text, fractions) : text);
}

/** The document if it is an object, else an Error. */
export function parseJsonObject(
  bytes: Uint8Array,
  rules: JsonRules = {},
): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes, rules);
  if (!isObject(value)) throw new Error("the document is not a JSON object");
  return value;
}

/**
 * The members of an object, their values as text: without blanks, otherwise letter for letter. `text` is an object that `parseJson`
 * takes.
 */
export function rawMembers(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let key: string | undefined;
  let value = "";
  for (let i = 0, end = 0; i < text.length; i = end) {
    const c = text[i] ?? "";
    end = c === '"' ? endOfString(text, i) + 1 : i + 1;
    if (" \t\n\r".includes(c)) continue;
    if (c === "}" || c === "]") depth--;
    if (depth === 0 || (depth === 1 && c === ",")) {
      if (key !== undefined) members.set(key, value);
      [key, value] = [undefined, ""];
    } else if (depth === 1 && key === undefined) key = JSON.parse(text.slice(i, end)) as string;
    else if (depth > 1 || value !== "" || c !== ":") value += text.slice(i, end);
    if (c === "{" || c === "[") depth++;
  }
  return members;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Where a number begins in the text, and where it has ended. */
type Place = readonly [start: number, end: number];

/** Walks the tokens without building anything; JSON.parse checks the grammar afterwards. Tells which numbers are written as no integers. */
function scan(text: string, rule: "folded" | "exact"): { readonly fractions: readonly Place[] } {
  const keys: (Set<string> | undefined)[] = [];
  let tokens = 0;
  const fractions: Place[] = [];
  let key = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const end = endOfString(text, i);
      if (key) addKey(keys.at(-1), text.slice(i, end + 1), rule);
      key = false;
      i = end;
    } else if (c === "{" || c === "[") {
      keys.push(c === "{" ? new Set() : undefined);
      key = c === "{";
      if (keys.length > JSON_LIMITS.depth)
        throw new Error(`it is nested deeper than ${JSON_LIMITS.depth} levels`);
    } else if (c === "}" || c === "]") {
      keys.pop();
      key = false;
    } else if (c === ",") {
      key = keys.at(-1) !== undefined;
    } else if (c === "-" || (c !== undefined && c >= "0" && c <= "9")) {
      const end = endOfNumber(text, i);
      if (isFraction(text.slice(i, end))) fractions.push([i, end]);
      i = end - 1;
    } else continue;
    if (++tokens > JSON_LIMITS.tokens)
      throw new Error(`it has more than ${JSON_LIMITS.tokens} tokens`);
  }
  return { fractions };
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  throw new Error("a string does not end");
}

function endOfNumber(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && "0123456789+-.eE".includes(text[i] as string)) i++;
  return i;
}

function addKey(keys: Set<string> | undefined, quoted: string, rule: "folded" | "exact"): void {
  const key = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  const taken = rule === "exact" ? key : foldKey(key);
  if (keys?.has(taken))
    throw new Error(
      `the key ${quoted.slice(0, 80)} occurs twice${rule === "exact" ? "" : ", or in two spellings"}`,
    );
  keys?.add(taken);
}

/** Keys that are the same to Go's decoder fold to the same: it also takes a long s for an s, and the Kelvin sign for a k. */
export const foldKey = (key: string): string =>
  ALREADY_FOLDED.test(key) ? key : key.toLowerCase().replaceAll("\u017f", "s");

const ALREADY_FOLDED = /^[\x20-@[-~]*$/;

/** Whether it is written with a point or an exponent: of those we never need more than JSON.parse keeps. Throws where an integer is rounded. */
function isFraction(text: string): boolean {
  if (!/[.eE]/.test(text)) {
    if (Number.isSafeInteger(Number(text))) return false;
    throw new Error(`the number ${text.slice(0, 40)} is too large`);
  }
  // What is no number at all is left for JSON.parse to refuse.
  return /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text);
}

/** What JSON.parse reads as Infinity; a reviver would take a second for what a scan takes no time for. */
const NO_INTEGER = "1e999";

function integersOnly(text: string, fractions: readonly Place[]): string {
  let from = 0;
  const parts = fractions.map(([start, end]) => {
    const before = text.slice(from, start);
    from = end;
    return before + NO_INTEGER;
  });
  return parts.join("") + text.slice(from);
}
