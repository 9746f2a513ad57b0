// The heads of HTTP/1.1 messages (RFC 9112), written and read. What answers is a stranger, so nothing is guessed: an answer whose end two
// readers could see in two places is none (reliability T26).

import type { IncomingHttpHeaders } from "node:http";
import type { HttpRequest } from "../answer.ts";

/** Bytes of an answer's head. */
export const HEAD_LIMIT = 64 * 1024;

/** What came is not an answer in HTTP/1.1. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code = "HTTP_INVALID";
}

export interface Head {
  readonly status: number;
  /** By lower-case names; those that come several times, as lists. */
  readonly headers: IncomingHttpHeaders;
  readonly framing: Framing;
  /** Another request may follow on the same connection. */
  readonly keepsAlive: boolean;
  /** ms after which the other side will close the connection if nothing follows, if it says so. */
  readonly idleMs: number | undefined;
}

/** Where a body ends: after so many bytes, where its chunks say, or with the connection. */
export type Framing = number | "chunked" | "close";

/** The head of a request. Throws where a name, a value or the address has characters that would make another request of it. */
export function formatHead({ method, url, headers }: HttpRequest): string {
  const target = url.pathname + url.search;
  if (!/^[\x21-\x7e]+$/.test(target)) throw new Error("the address is not one of HTTP");
  const rows = [["host", url.host], ...Object.entries(headers)].map(([name = "", value = ""]) => {
    if (!isToken(name) || !isValue(value)) throw new Error(`the header ${name} is not one of HTTP`);
    return `${name}: ${value}\r\n`;
  });
  return `${method} ${target} HTTP/1.1\r\n${rows.join("")}\r\n`;
}

/** The head of an answer, without the empty line after it. Throws HttpError. */
export function parseHead(text: string, method: HttpRequest["method"]): Head {
  const [statusLine = "", ...rows] = text.split("\r\n");
  const [, minor, digits] =
    /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?$/.exec(statusLine) ?? [];
  if (digits === undefined) throw new HttpError("the answer has no status line");
  const status = Number(digits);
  if (status === 101)
    throw new HttpError("the answer switches to a protocol that nobody asked for");
  const headers = parseFields(rows);
  const framing = framingOf(status, method, headers, minor === "1");
  const connection = listOf(headers["connection"]);
  const keepsAlive = minor === "1" && framing !== "close" && !connection.includes("close");
  return { status, headers, framing, keepsAlive, idleMs: idleOf(headers) };
}

function parseFields(rows: readonly string[]): IncomingHttpHeaders {
  const headers = Object.create(null) as Record<string, string | string[]>;
  for (const row of rows) {
    const colon = row.indexOf(":");
    const name = row.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = row.slice(colon + 1).trim();
    // This refuses folded lines as well: their names begin with a space.
    if (!isToken(name) || !isValue(value))
      throw new HttpError("the answer has a line that is no header");
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  return headers;
}

/** RFC 9112, section 6.3; what it lets a client mend is refused. */
function framingOf(
  status: number,
  method: HttpRequest["method"],
  headers: IncomingHttpHeaders,
  isCurrent: boolean,
): Framing {
  const { "transfer-encoding": coding, "content-length": length } = headers;
  if (coding !== undefined && (length !== undefined || !isCurrent))
    throw new HttpError("the answer says in two ways where it ends");
  if (length !== undefined && !(typeof length === "string" && /^[0-9]{1,15}$/.test(length)))
    throw new HttpError("the answer's length is not a number");
  if (coding !== undefined && (typeof coding !== "string" || coding.toLowerCase() !== "chunked"))
    throw new HttpError("the answer has a transfer coding that nobody asked for");
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return "chunked";
  return length === undefined ? "close" : Number(length);
}

function idleOf(headers: IncomingHttpHeaders): number | undefined {
  const seconds = listOf(headers["keep-alive"]).map(
    (part) => /^timeout=([0-9]{1,6})$/.exec(part)?.[1],
  );
  const found = seconds.find((each) => each !== undefined);
  return found === undefined ? undefined : Number(found) * 1000;
}

const listOf = (value: string | string[] | undefined): readonly string[] =>
  [value ?? []]
    .flat()
    .flatMap((each) => each.split(","))
    .map((each) => each.trim().toLowerCase());

const isToken = (text: string): boolean => /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(text);
const isValue = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
