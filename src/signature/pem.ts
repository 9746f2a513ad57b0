// PEM blocks (RFC 7468), and the public keys in them.

import { createPublicKey, type KeyObject } from "node:crypto";
import { decodeBase64 } from "./fields.ts";

interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

/**
 * The blocks of a text. Throws an Error where a block is damaged, or there is something else in the text; bundles of authorities may
 * have `comments`.
 */
export function pemBlocks(
  text: string,
  rest: "nothing" | "comments" = "nothing",
): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  const left = text.replaceAll(
    /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]*)-----END \1-----/g,
    (_, label: string, body: string) => {
      const der = decodeBase64(body);
      if (der === undefined) throw new Error("a PEM block is not base64");
      blocks.push({ label, der });
      return "";
    },
  );
  if (rest === "nothing" && left.trim() !== "")
    throw new Error("it is not in PEM format, or something comes after it");
  return blocks;
}

/** The block of a text that has only one. Throws an Error. */
export function onlyBlock(text: string): PemBlock {
  const [block, ...others] = pemBlocks(text);
  if (block === undefined || others.length > 0) throw new Error("it is not one PEM block");
  return block;
}

/** Throws an Error for anything but one public key of a kind that sigstore signs with. */
export function parsePublicKey(pem: Buffer): KeyObject {
  const { label, der } = onlyBlock(pem.toString("utf8"));
  const type = TYPES.get(label);
  if (type === undefined) throw new Error(`a PEM block of type ${label} is no public key`);
  return supported(createPublicKey({ key: der, format: "der", type }));
}

/** The key, if sigstore signs with such. Throws an Error. */
export function supported(key: KeyObject): KeyObject {
  if (KINDS.includes(key.asymmetricKeyType ?? "")) return key;
  throw new Error(`keys of type ${key.asymmetricKeyType} are not supported`);
}

const TYPES: ReadonlyMap<string, "spki" | "pkcs1"> = new Map([
  ["PUBLIC KEY", "spki"],
  ["RSA PUBLIC KEY", "pkcs1"],
]);
const KINDS = ["rsa", "ec", "ed25519"];
