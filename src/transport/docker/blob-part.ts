// Whether what a registry answers to the GET of a blob, or of its rest, is what was asked for.

import type { IncomingHttpHeaders } from "node:http";
import type { Code } from "../../codes.ts";
import { headerOf, mediaTypeOf } from "./answer.ts";
import { parseContentRange, parseCount } from "./content-range.ts";

export interface PartAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** What was asked for: the bytes from `at` on, up to `to` if not to the end, of a blob that has `size` bytes as far as that is known. */
export interface PartWanted {
  readonly at: number;
  readonly to?: number | undefined;
  readonly size: number | undefined;
  /** The strong ETag of what came before. */
  readonly etag: string | undefined;
}

export interface Fault {
  readonly code: Code;
  readonly message: string;
}

/**
 * How many bytes of the answer's body come before the one that is wanted; a fault where the body must not be used at all.
 *
 * Where `Range` is ignored all bytes are taken again, however many, and those that are there already are dropped: the next attempt
 * would read them again as well, and send them again besides. That both are the same content shows at the end, by the digest.
 */
export function judgePart({ status, headers }: PartAnswer, wanted: PartWanted): number | Fault {
  const { at, size, etag } = wanted;
  const isPart = status === 206;
  const now = strongEtag(headers);
  if (etag !== undefined && now !== undefined && now !== etag)
    return unusable("has other content now than when the blob began");
  if (at > 0 && isEncoded(headers)) return unusable("encodes the rest of a blob");
  if (!isPart) return lengthFault(headers, size) ?? at;
  if (at === 0 && wanted.to === undefined)
    return unusable("answered with a part of a blob that was asked for whole");
  if (mediaTypeOf({ headers }) === "multipart/byteranges")
    return unusable("answered with several parts of a blob for one that was asked for");
  return partFault(headers, wanted) ?? 0;
}

/** A whole answer's length; of a form that is encoded it says nothing. */
function lengthFault(headers: IncomingHttpHeaders, size: number | undefined): Fault | undefined {
  const length = headerOf(headers, "content-length");
  if (length === undefined || size === undefined || isEncoded(headers) || Number(length) === size)
    return undefined;
  return {
    code: "size_mismatch",
    message: `the blob has ${length} bytes, not the ${size} of its descriptor`,
  };
}

/** A part must begin at the byte that was asked for and belong to a blob of the right size; it may end early. */
function partFault(headers: IncomingHttpHeaders, { at, to, size }: PartWanted): Fault | undefined {
  const part = parseContentRange(headerOf(headers, "content-range"));
  if (part === undefined) return unusable("does not say which part of a blob it sends");
  if (part.first !== at)
    return unusable(`sends a blob from byte ${part.first} on, not from ${at} as asked`);
  if (to !== undefined && part.last >= to)
    return unusable(`sends a blob up to byte ${part.last}, not ${to - 1} as asked`);
  const total = part.size ?? (part.last + 1 === to ? size : part.last + 1);
  if (size !== undefined && total !== size)
    return unusable(`sends a part of ${total} bytes, not of the ${size} of the blob's descriptor`);
  const length = headerOf(headers, "content-length");
  return length === undefined || parseCount(length) === part.last - part.first + 1
    ? undefined
    : unusable("sends a part of another length than it says");
}

const unusable = (message: string): Fault => ({ code: "registry_unavailable", message });

/** Somewhere on the way the bytes were given another form. */
export function isEncoded(headers: IncomingHttpHeaders): boolean {
  const encoding = headerOf(headers, "content-encoding") ?? "identity";
  return encoding !== "identity" && encoding !== "";
}

/** The only ETags that `If-Range` may name (RFC 9110 13.1.5). */
export function strongEtag(headers: IncomingHttpHeaders): string | undefined {
  const etag = headerOf(headers, "etag");
  return etag !== undefined && etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"')
    ? etag
    : undefined;
}
