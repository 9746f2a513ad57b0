// When two requests are the same one: by the client's key, and by what the bodies mean.

import { CopyError } from "../errors.ts";

const KEY = /^[\x21-\x7e]{1,255}$/;

/** The `Idempotency-Key` header, checked: 1 to 255 visible ASCII characters. Throws `invalid_request`. */
export function parseIdempotencyKey(text: string): string {
  if (KEY.test(text)) return text;
  throw new CopyError(
    "invalid_request",
    "the Idempotency-Key must be 1 to 255 visible ASCII characters",
  );
}

/** JSON whose text does not depend on the order of members (as RFC 8785; the values are those that JSON.parse gives). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
