// `Content-Range` of an answer and `Range` of an upload session: two lines that decide where bytes belong, so nothing is guessed.

/** Bytes `first` to `last`, both included; `size` undefined: the server does not tell it. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly size: number | undefined;
}

/** RFC 9110 14.4, `bytes <first>-<last>/<size or *>`; undefined for anything else. Takes time linear in the text. */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  if (text === undefined || text.slice(0, 6).toLowerCase() !== "bytes ") return undefined;
  const dash = text.indexOf("-", 6);
  const slash = text.indexOf("/", dash + 1);
  if (dash < 0 || slash < 0) return undefined;
  const first = parseCount(text.slice(6, dash));
  const last = parseCount(text.slice(dash + 1, slash));
  const total = text.slice(slash + 1);
  const size = parseCount(total);
  if (first === undefined || last === undefined || (size === undefined && total !== "*"))
    return undefined;
  return last < first || (size !== undefined && last >= size) ? undefined : { first, last, size };
}

/** Digits alone, and few enough to be exact. */
export function parseCount(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined;
  for (const character of text) if (character < "0" || character > "9") return undefined;
  return Number(text);
}
