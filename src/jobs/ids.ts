// Names of jobs: 48 bits of time and 80 of chance (a ULID), so that their order is that of creation and nobody guesses one.

import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const PATTERN = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

let last = 0;

/** A new name: 26 lower-case Crockford characters. This process never makes one that sorts before an earlier one. */
export function newId(): string {
  last = Math.max(Date.now(), last + 1);
  const chance = randomBytes(10);
  let bits = BigInt(last);
  for (const byte of chance) bits = (bits << 8n) | BigInt(byte);
  let id = "";
  for (let shift = 125n; shift >= 0n; shift -= 5n) id += ALPHABET[Number((bits >> shift) & 31n)];
  return id;
}

export const isId = (text: string): boolean => PATTERN.test(text);
