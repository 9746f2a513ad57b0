// JSON from strangers. JSON.parse alone is not enough: nesting and token bombs block the event loop for seconds, duplicate and
// case-variant keys mean different things to different readers (Go decodes keys case-insensitively, the last one wins), and
// integers above 2^53 are rounded without a word. So the bytes are scanned once before they are parsed.

/** Bounds of a document (reliability T22). */
const JSON_LIMITS = { depth: 64, tokens: 500_000 } as const;

/**
 * Parses one JSON document. Throws an Error that says what is wrong: not UTF-8, too deep, too many values, a key that occurs twice
 * or in two spellings, a number that is not kept exactly, anything after the document.
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  scan(text);
  return JSON.parse(text);
}

/** The document if it is an object, else an Error. */
export function parseJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes);
  if (!isObject(value)) throw new Error("the document is not a JSON object");
  return value;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Walks the tokens without building anything; JSON.parse checks the grammar afterwards. */
function scan(text: string): void {
  const keys: (Set<string> | undefined)[] = [];
  let tokens = 0;
  let key = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const end = endOfString(text, i);
      if (key) addKey(keys.at(-1), text.slice(i, end + 1));
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
      checkNumber(text.slice(i, end));
      i = end - 1;
    } else continue;
    if (++tokens > JSON_LIMITS.tokens)
      throw new Error(`it has more than ${JSON_LIMITS.tokens} tokens`);
  }
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

function addKey(keys: Set<string> | undefined, quoted: string): void {
  const folded = (JSON.parse(quoted) as string).toLowerCase();
  if (keys?.has(folded))
    throw new Error(`the key ${quoted.slice(0, 80)} occurs twice, or in two spellings`);
  keys?.add(folded);
}

/** Integers must survive; `1.0` and `1e3` are not integers to Go, and we never need fractions beyond what JSON.parse keeps. */
function checkNumber(text: string): void {
  if (!/[.eE]/.test(text) && !Number.isSafeInteger(Number(text)))
    throw new Error(`the number ${text.slice(0, 40)} is too large`);
}
