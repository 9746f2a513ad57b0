// The checks of uncompressed data that an xz stream may have.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

export interface Check {
  update(bytes: Uint8Array): void;
  /** The check as it is stored. */
  digest(): Uint8Array;
}

/** By the number in a stream's header; undefined: none that is in use. */
export function checkFor(type: number): Check | undefined {
  if (type === 0) return { update: () => {}, digest: () => new Uint8Array(0) };
  if (type === 1) return crc32Check();
  if (type === 4) return crc64Check();
  if (type !== 10) return undefined;
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

function crc32Check(): Check {
  let crc = 0;
  return {
    update: (bytes) => (crc = crc32(bytes, crc)),
    digest: () => littleEndian(crc),
  };
}

/** Of the polynomial of ECMA-182, reflected; the halves of 64 bits apart. */
const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1n) === 1n ? (value >> 1n) ^ 0xc96c5795d7870f42n : value >> 1n;
  return value;
});
const LOW = Uint32Array.from(TABLE, (value) => Number(value & 0xffffffffn));
const HIGH = Uint32Array.from(TABLE, (value) => Number(value >> 32n));

function crc64Check(): Check {
  let low = -1;
  let high = -1;
  return {
    update: (bytes) => {
      for (let at = 0; at < bytes.length; at++) {
        const entry = (low ^ (bytes[at] as number)) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (LOW[entry] as number);
        high = (high >>> 8) ^ (HIGH[entry] as number);
      }
    },
    digest: () => Buffer.concat([littleEndian(~low), littleEndian(~high)]),
  };
}

export function littleEndian(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
