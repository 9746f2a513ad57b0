// Keys and messages of OpenPGP, made on the spot: also those that nobody should accept.

import { createPrivateKey, sign as signBytes } from "node:crypto";
import {
  config,
  createMessage,
  enums,
  generateKey,
  sign,
  SignaturePacket,
  type Config,
  type PrivateKey,
} from "openpgp";

const SECOND = 1000;
export const DAY = 24 * 60 * 60 * SECOND;

type KeyOptions = Omit<Parameters<typeof generateKey>[0], "userIDs" | "format">;

/** An Ed25519 key, unless told otherwise. */
export async function makeKey(options: KeyOptions = {}): Promise<PrivateKey> {
  const { privateKey } = await generateKey({
    userIDs: [{ name: "A test" }],
    type: "ecc",
    curve: "ed25519Legacy",
    ...options,
    format: "object",
  });
  return privateKey;
}

/** A key that was valid for an hour, a day ago. */
export const makeExpiredKey = (): Promise<PrivateKey> =>
  makeKey({ date: new Date(Date.now() - DAY), keyExpirationTime: 3600 });

export const publicBytes = (...keys: readonly PrivateKey[]): Buffer =>
  Buffer.concat(keys.map((key) => key.toPublic().write() as Uint8Array));

/** As gpg makes them: one-pass, literal, signature. */
export async function signMessage(
  data: string,
  signingKeys: PrivateKey | PrivateKey[],
  date = new Date(),
): Promise<Buffer> {
  const message = await createMessage({ binary: Buffer.from(data) });
  return Buffer.from(await sign({ message, signingKeys, format: "binary", date }));
}

/** A packet of the new format. */
export function framed(tag: number, body: Uint8Array): Buffer {
  const head = Buffer.from([0xc0 | tag, 0xff, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 2);
  return Buffer.concat([head, body]);
}

/** A literal of binary data without a name. */
export const literal = (data: string): Buffer =>
  framed(11, Buffer.concat([Buffer.from("b\0\0\0\0\0", "latin1"), Buffer.from(data)]));

/** Signature and literal, the former of any type, or valid for some seconds only. */
export async function signOldStyle(
  data: string,
  key: PrivateKey,
  more: { readonly seconds?: number; readonly type?: number; readonly date?: Date } = {},
): Promise<Buffer> {
  const { keyPacket } = await key.getSigningKey();
  const packet = new SignaturePacket();
  packet.signatureType = more.type ?? enums.signature.binary;
  packet.publicKeyAlgorithm = keyPacket.algorithm;
  packet.hashAlgorithm = enums.hash.sha512;
  if (more.seconds !== undefined) {
    packet.signatureExpirationTime = more.seconds;
    packet.signatureNeverExpires = false;
  }
  const { packets } = await createMessage({ binary: Buffer.from(data) });
  type Sign = (
    key: unknown,
    data: unknown,
    date: Date,
    detached: boolean,
    config: Config,
  ) => unknown;
  await (packet.sign as Sign)(keyPacket, packets[0], more.date ?? new Date(), false, config);
  return Buffer.concat([framed(2, packet.write()), literal(data)]);
}

/** A version 3 signature and its literal, by an RSA key. */
export function signVersion3(data: string, key: PrivateKey, type = 0): Buffer {
  const head = Buffer.from([type, 0, 0, 0, 0]);
  head.writeUInt32BE(Math.floor(Date.now() / SECOND), 1);
  const bytes = signBytes("sha256", Buffer.concat([Buffer.from(data), head]), rsaKeyOf(key));
  const bits = bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24;
  const body = Buffer.concat([
    Buffer.from([3, 5]),
    head,
    Buffer.from(key.getKeyID().toHex(), "hex"),
    Buffer.from([enums.publicKey.rsaEncryptSign, enums.hash.sha256, 0, 0, bits >> 8, bits & 0xff]),
    bytes,
  ]);
  return Buffer.concat([framed(2, body), literal(data)]);
}

function rsaKeyOf(key: PrivateKey) {
  const { publicParams, privateParams } = key.keyPacket as unknown as {
    readonly publicParams: Readonly<Record<"n" | "e", Uint8Array>>;
    readonly privateParams: Readonly<Record<"d" | "p" | "q" | "u", Uint8Array>>;
  };
  const { n, e } = publicParams;
  // OpenPGP's u is the inverse of p; a JWK's qi that of q.
  const { d, p: q, q: p, u: qi } = privateParams;
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  const less = (prime: Uint8Array) => {
    const hex = (number(d) % (number(prime) - 1n)).toString(16);
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  };
  const fields = Object.entries({ n, e, d, p, q, dp: less(p), dq: less(q), qi });
  const spelled = fields.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64url")]);
  const jwk = { kty: "RSA", ...Object.fromEntries(spelled) };
  return createPrivateKey({ key: jwk, format: "jwk" });
}
