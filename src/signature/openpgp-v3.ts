// Signature packets of version 3 (RFC 4880, section 5.2.2): what old gpg made, and gpg still accepts. OpenPGP.js does not know them.

import { constants, createPublicKey, verify } from "node:crypto";
import type { PublicKey, Subkey } from "openpgp";

export interface Version3 {
  /** Hexadecimal, lower-case. */
  readonly keyId: string;
  readonly hash: string;
  /** What is hashed after the data: type and time. */
  readonly trailer: Buffer;
  readonly signature: Buffer;
}

/** By their numbers; none that OpenPGP.js refuses. */
const HASHES: ReadonlyMap<number, string> = new Map([
  [8, "sha256"],
  [9, "sha384"],
  [10, "sha512"],
  [11, "sha224"],
]);
/** RSA, and RSA for signing only. */
const RSA = [1, 3];
const RSA_BITS = 2047;

/** Undefined: the packet is of another version. Throws an Error for what is not supported of this one. */
export function parseVersion3(body: Buffer): Version3 | undefined {
  if (body[0] !== 3) return undefined;
  if (body.length < 22 || body[1] !== 5) throw new Error("the signature packet is damaged");
  if (body[2] !== 0) throw new Error("it is not a signature over binary data");
  const hash = HASHES.get(body[16] ?? 0);
  if (!RSA.includes(body[15] ?? 0) || hash === undefined)
    throw new Error("a version 3 signature must be by RSA over SHA-2");
  return {
    keyId: body.toString("hex", 7, 15),
    hash,
    trailer: body.subarray(2, 7),
    signature: numberAt(body, 19),
  };
}

/** The one number of an RSA signature, to the end of the packet. */
function numberAt(body: Buffer, at: number): Buffer {
  const number = body.subarray(at + 2);
  if (Math.ceil(body.readUInt16BE(at) / 8) !== number.length)
    throw new Error("the signature packet is damaged");
  return number;
}

/** Throws an Error if the key has not signed the data. */
export function verifyVersion3(
  { hash, trailer, signature }: Version3,
  data: Buffer,
  key: PublicKey | Subkey,
): void {
  const { n, e } = key.keyPacket.publicParams as { n?: Uint8Array; e?: Uint8Array };
  if (n === undefined || e === undefined) throw new Error("the key is not an RSA key");
  const spelled = (number: Uint8Array) => Buffer.from(number).toString("base64url");
  const jwk = { kty: "RSA", n: spelled(n), e: spelled(e) };
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS) throw new Error("the RSA key is too short");
  const padded = Buffer.alloc(Math.ceil(modulusLength / 8));
  if (signature.length > padded.length) throw new Error("the signature packet is damaged");
  signature.copy(padded, padded.length - signature.length);
  const options = { key: publicKey, padding: constants.RSA_PKCS1_PADDING };
  if (!verify(hash, Buffer.concat([data, trailer]), options, padded))
    throw new Error("the signature does not fit what it is over");
}
