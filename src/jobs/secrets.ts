// Credentials at rest: each job's are sealed with a key of their own, made from the operator's key, which Redis never sees.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import type { JobSecrets } from "./record.ts";

const VERSION = "1";
const CIPHER = "aes-256-gcm";
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

/** Whose secrets: they open for no other job or tenant. */
interface Owner {
  readonly id: string;
  readonly tenant: string;
}

export class Sealer {
  readonly #keys: readonly [Key, ...Key[]];

  private constructor(keys: readonly [Key, ...Key[]]) {
    this.#keys = keys;
  }

  /** From the text of the key file: 64 hexadecimal digits a line; the first line seals, older ones still open. */
  static parse(text: string): Sealer {
    const lines = text.split("\n").map((line) => line.trim());
    const [first, ...older] = lines.filter((line) => line !== "").map(parseKey);
    if (first === undefined)
      throw new Error("the secrets key file has no key: it needs a line of 64 hexadecimal digits");
    return new Sealer([first, ...older]);
  }

  /** Text that only `open` for the same owner makes sense of. */
  seal(owner: Owner, secrets: JobSecrets): string {
    return this.sealText(owner, JSON.stringify(secrets));
  }

  /** As `seal`. */
  sealText(owner: Owner, text: string): string {
    const key = this.#keys[0];
    const salt = randomBytes(SALT_BYTES);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, jobKey(key, salt), nonce).setAAD(contextOf(owner));
    const sealed = Buffer.concat([
      salt,
      nonce,
      cipher.update(text, "utf8"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return [VERSION, key.id, sealed.toString("base64url")].join(".");
  }

  /** Throws if the key is not in the file any more, or if the text is not what was sealed for this owner. */
  open(owner: Owner, sealed: string): JobSecrets {
    return JSON.parse(this.openText(owner, sealed)) as JobSecrets;
  }

  /** As `open`. */
  openText(owner: Owner, sealed: string): string {
    const [version, keyId, body] = sealed.split(".");
    const key = this.#keys.find(({ id }) => id === keyId);
    if (version !== VERSION || key === undefined)
      throw new Error(`no key of the secrets key file fits the sealed secrets of ${owner.id}`);
    const bytes = Buffer.from(body ?? "", "base64url");
    if (bytes.length < SALT_BYTES + NONCE_BYTES + TAG_BYTES)
      throw new Error(`the sealed secrets of ${owner.id} are damaged`);
    const salt = bytes.subarray(0, SALT_BYTES);
    const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, jobKey(key, salt), nonce, {
      authTagLength: TAG_BYTES,
    }).setAAD(contextOf(owner));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const text = Buffer.concat([
      decipher.update(bytes.subarray(SALT_BYTES + NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
    return text.toString("utf8");
  }

  /**
   * Tells whether two texts are the same without keeping them: a plain hash of a request would let whoever reads Redis try
   * passwords. A new first key makes other fingerprints.
   */
  fingerprint(text: string): string {
    return createHmac(
      "sha256",
      derive(this.#keys[0].bytes, Buffer.alloc(0), "transship fingerprint"),
    )
      .update(text)
      .digest("hex");
  }
}

function parseKey(line: string, index: number): Key {
  if (!/^[0-9a-f]{64}$/i.test(line))
    throw new Error(`key ${index + 1} of the secrets key file is not 64 hexadecimal digits`);
  const bytes = Buffer.from(line, "hex");
  const id = createHash("sha256")
    .update("transship key id")
    .update(bytes)
    .digest("hex")
    .slice(0, 16);
  return { id, bytes };
}

/** A fresh salt a job makes a fresh key a job: nonces of two jobs never meet under one key. */
const jobKey = (key: Key, salt: Buffer): Buffer =>
  derive(key.bytes, salt, `transship secrets ${VERSION}`);

const derive = (key: Buffer, salt: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync("sha256", key, salt, purpose, 32));

const contextOf = ({ tenant, id }: Owner): Buffer =>
  Buffer.from(JSON.stringify([tenant, id, VERSION]));
