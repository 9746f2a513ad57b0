// Simple signatures: OpenPGP messages, verified with a keyring that holds the policy's keys and nothing else (semantics 6.3).

import {
  createMessage,
  PacketList,
  readKeys,
  Signature,
  SignaturePacket,
  verify,
  type PublicKey,
} from "openpgp";
import { parseSignedMessage } from "./openpgp-packets.ts";
import { parseVersion3, verifyVersion3 } from "./openpgp-v3.ts";

export type Keyring = readonly PublicKey[];

/** All keys of some exported key files, each binary or armored. Throws an Error where one is neither. */
export async function readKeyring(files: readonly Buffer[]): Promise<Keyring> {
  const rings = await Promise.all(files.flatMap(ringsOf));
  return rings.flat().map((key) => key.toPublic());
}

/** An armored file may have several blocks; OpenPGP.js reads the first. */
function ringsOf(file: Buffer): readonly Promise<PublicKey[]>[] {
  const [first] = file;
  if (first === undefined) return [];
  if (first & 0x80) return [readKeys({ binaryKeys: file })];
  const begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
  const [, ...blocks] = file.toString("latin1").split(begin);
  if (blocks.length === 0) throw new Error("a key file is neither binary nor armored OpenPGP");
  return blocks.map((block) => readKeys({ armoredKeys: begin + block }));
}

/**
 * What was signed. Throws an Error that says why the message is not accepted: it is not one signature over one literal, its key is not
 * in the ring, or key or signature are wrong, revoked or expired: when it was made, or at `now`.
 */
export async function verifyMessage(bytes: Buffer, keyring: Keyring, now: Date): Promise<Buffer> {
  const { data, signature } = parseSignedMessage(bytes);
  const version3 = parseVersion3(signature);
  if (version3 === undefined) await verifySignature(signature, data, keyring, now);
  else verifyVersion3(version3, data, await signingKey(keyring, version3.keyId, now));
  return data;
}

async function verifySignature(
  body: Buffer,
  data: Buffer,
  keyring: Keyring,
  now: Date,
): Promise<void> {
  const packet = new SignaturePacket();
  packet.read(body);
  if (packet.signatureType !== 0) throw new Error("it is not a signature over binary data");
  const list = new PacketList<SignaturePacket>();
  list.push(packet);
  const { signatures } = await verify({
    message: await createMessage({ binary: data }),
    signature: new Signature(list),
    verificationKeys: [...keyring],
    format: "binary",
    date: now,
  });
  const [only] = signatures;
  if (only === undefined || signatures.length > 1) throw new Error("it is not one signature");
  await signingKey(keyring, only.keyID.toHex(), now);
  await only.verified;
}

/** gpg refuses what a key has signed that is not valid now; OpenPGP.js looks at the time of the signature only. */
async function signingKey(keyring: Keyring, keyId: string, now: Date) {
  const ids = (key: PublicKey) => key.getKeys().map((each) => each.getKeyID());
  for (const key of keyring) {
    const id = ids(key).find((each) => each.toHex() === keyId);
    if (id !== undefined) return key.getSigningKey(id, now);
  }
  throw new Error(`signature by key ${keyId.toUpperCase()} is not accepted`);
}
