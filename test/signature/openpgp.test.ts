// Semantics 11.3, table D, with keys and messages that are made here; real gpg's are in test/interop/policy.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, deflateSync } from "node:zlib";
import { createMessage, encrypt, enums, revokeKey } from "openpgp";
import { readKeyring, verifyMessage } from "../../src/signature/openpgp.ts";
import {
  DAY,
  framed,
  literal,
  makeExpiredKey,
  makeKey,
  publicBytes,
  signMessage,
  signOldStyle,
  signVersion3,
} from "../support/openpgp.ts";

const [key, other, rsa, withSubkey, expired, revoked] = await Promise.all([
  makeKey(),
  makeKey(),
  makeKey({ type: "rsa", rsaBits: 2048 }),
  makeKey({ subkeys: [{ sign: true }] }),
  makeExpiredKey(),
  makeKey(),
]);
const DATA = "what is signed";
const good = await signMessage(DATA, key);
const compressed = (algorithm: number, bytes: Buffer): Buffer =>
  framed(8, Buffer.concat([Buffer.from([algorithm]), bytes]));
const parts = (whole: Buffer, tag: number): Buffer => {
  // A body in two parts: 512 bytes must come first, so the literal is long.
  const [head, rest] = [whole.subarray(0, 512), whole.subarray(512)];
  return Buffer.concat([
    Buffer.from([0xc0 | tag, 0xe0 | 9]),
    head,
    Buffer.from([0xff, 0, 0, rest.length >> 8, rest.length & 0xff]),
    rest,
  ]);
};
const LONG = "l".repeat(1000);
const long = await signOldStyle(LONG, key);
const longSignature = long.subarray(0, long.length - literal(LONG).length);

/** A message by a subkey that is revoked afterwards. */
async function signAndRevoke(): Promise<{ readonly message: Buffer; readonly keys: Buffer }> {
  const signer = await makeKey({ subkeys: [{ sign: true }] });
  const message = await signMessage(DATA, signer);
  const [subkey] = signer.subkeys;
  assert.ok(subkey);
  type Revoke = (key: unknown, reason: unknown) => Promise<(typeof signer.subkeys)[number]>;
  const reason = { flag: enums.reasonForRevocation.keyCompromised };
  signer.subkeys = [await (subkey.revoke.bind(subkey) as Revoke)(signer.keyPacket, reason)];
  return { message, keys: publicBytes(signer) };
}

interface Row {
  readonly what: string;
  readonly message: Buffer | Promise<Buffer>;
  readonly keys?: Buffer | Promise<Buffer>;
  readonly data?: string;
}

const ACCEPTED: readonly Row[] = [
  { what: "a one-pass signature", message: good },
  { what: "a signature before its literal", message: signOldStyle(DATA, key) },
  { what: "a message compressed with ZIP", message: compressed(1, deflateRawSync(good)) },
  { what: "a message compressed with ZLIB", message: compressed(2, deflateSync(good)) },
  { what: "a message in a compressed packet that is not", message: compressed(0, good) },
  {
    what: "a literal in parts",
    message: Buffer.concat([longSignature, parts(literal(LONG).subarray(6), 11)]),
    data: LONG,
  },
  { what: "a version 3 signature", message: signVersion3(DATA, rsa), keys: publicBytes(rsa) },
  {
    what: "a signature by a subkey",
    message: signMessage(DATA, withSubkey),
    keys: publicBytes(withSubkey),
  },
  {
    what: "a signature by the second key of a ring",
    message: good,
    keys: publicBytes(other, key),
  },
  {
    what: "a signature by the second key of an armored file",
    message: good,
    keys: Buffer.from(other.toPublic().armor() + key.toPublic().armor()),
  },
];

for (const { what, message, keys = publicBytes(key), data = DATA } of ACCEPTED)
  test(`${what} is accepted`, async () => {
    const keyring = await readKeyring([await keys]);
    const signed = await verifyMessage(await message, keyring, new Date());
    assert.equal(signed.toString(), data);
  });

const flip = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy.at(at) ?? 0) ^ 1, at < 0 ? copy.length + at : at);
  return copy;
};

const REFUSED: readonly (Row & {
  readonly message: Buffer | Promise<Buffer>;
  readonly why: RegExp;
})[] = [
  { what: "a corrupt signature", message: flip(good, -1), why: /verification failed|invalid/i },
  {
    what: "corrupt data",
    message: good.indexOf(DATA) > 0 ? flip(good, good.indexOf(DATA)) : good,
    why: /digest did not match|verification failed/,
  },
  {
    what: "a cleartext signature",
    message: Buffer.from("-----BEGIN PGP SIGNED MESSAGE-----\n"),
    why: /not made of OpenPGP packets/,
  },
  { what: "an unsigned literal", message: literal(DATA), why: /not a signed message/ },
  { what: "nothing", message: Buffer.alloc(0), why: /not a signed message/ },
  {
    what: "an unsigned encrypted message",
    message: createMessage({ binary: Buffer.from(DATA) })
      .then((message) => encrypt({ message, encryptionKeys: key, format: "binary" }))
      .then((bytes) => Buffer.from(bytes)),
    why: /not a signed message/,
  },
  { what: "an unknown key", message: good, keys: publicBytes(other), why: /is not accepted/ },
  { what: "a ring without keys", message: good, keys: Buffer.alloc(0), why: /is not accepted/ },
  { what: "a revoked subkey", ...(await signAndRevoke()), why: /revoked/ },
  {
    what: "a revoked key",
    message: signMessage(DATA, revoked),
    keys: revokeKey({ key: revoked, format: "object" }).then(({ publicKey }) =>
      Buffer.from(publicKey.write() as Uint8Array),
    ),
    why: /revoked/,
  },
  {
    what: "a key that was valid when it signed and is expired now",
    message: signMessage(DATA, expired, new Date(Date.now() - DAY + 60_000)),
    keys: publicBytes(expired),
    why: /expired/,
  },
  {
    what: "two signatures",
    message: signMessage(DATA, [key, other]),
    keys: publicBytes(key, other),
    why: /more than one/,
  },
  {
    what: "two literals",
    message: signOldStyle(DATA, key).then((m) => Buffer.concat([m, literal("more")])),
    why: /more than one/,
  },
  {
    what: "a packet after the message",
    message: Buffer.concat([good, framed(13, Buffer.from("a user"))]),
    why: /more than one/,
  },
  {
    what: "bytes after the message",
    message: Buffer.concat([good, Buffer.from("x")]),
    why: /not made of/,
  },
  {
    what: "bytes after what is compressed",
    message: compressed(1, Buffer.concat([deflateRawSync(good), Buffer.from("x")])),
    why: /comes after/,
  },
  {
    what: "a packet after what is compressed",
    message: Buffer.concat([compressed(1, deflateRawSync(good)), literal("more")]),
    why: /not a signed message|more than one/,
  },
  {
    what: "a message compressed twice",
    message: compressed(1, deflateRawSync(compressed(1, deflateRawSync(good)))),
    why: /not a signed message/,
  },
  { what: "BZip2", message: compressed(3, good), why: /another algorithm/ },
  {
    what: "a message that is a bomb",
    message: compressed(1, deflateRawSync(Buffer.alloc(8 * 1024 * 1024))),
    why: /larger than/,
  },
  { what: "half a message", message: good.subarray(0, good.length - 9), why: /cut short/ },
  {
    what: "a signature over text",
    message: signOldStyle(DATA, key, { type: enums.signature.text }),
    why: /not a signature over binary data/,
  },
  {
    what: "a version 3 signature over text",
    message: signVersion3(DATA, rsa, 1),
    keys: publicBytes(rsa),
    why: /not a signature over binary data/,
  },
  {
    what: "a corrupt version 3 signature",
    message: flip(signVersion3(DATA, rsa), -1),
    keys: publicBytes(rsa),
    why: /does not fit/,
  },
  {
    what: "a version 3 signature by an unknown key",
    message: signVersion3(DATA, rsa),
    why: /is not accepted/,
  },
];

for (const { what, message, keys = publicBytes(key), why } of REFUSED)
  test(`${what} is refused`, async () => {
    const keyring = await readKeyring([await keys]);
    await assert.rejects(verifyMessage(await message, keyring, new Date()), why);
  });

test("a signature that was valid for a second is refused later, and was accepted then", async () => {
  const made = new Date(Date.now() - 60_000);
  const old = await makeKey({ date: new Date(Date.now() - DAY) });
  const message = await signOldStyle(DATA, old, { seconds: 1, date: made });
  const keyring = await readKeyring([publicBytes(old)]);
  assert.equal((await verifyMessage(message, keyring, made)).toString(), DATA);
  await assert.rejects(verifyMessage(message, keyring, new Date()), /expired/);
});

test("a file that is no key is refused", async () => {
  await assert.rejects(
    async () => readKeyring([Buffer.from("a key")]),
    /neither binary nor armored/,
  );
});
