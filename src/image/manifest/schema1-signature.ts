// The signatures in a docker schema 1 manifest, as docker's libtrust lays them out (semantics 3.5, 3.6): a JSON document into which
// `signatures` are spliced before its last brace. Each says how to get the signed document back: so many bytes, and a tail. The
// digest of the manifest is that of the signed document.

import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { goArray, goString, goStruct } from "../go-json.ts";
import { isObject, parseJsonObject } from "../json.ts";
import { invalid } from "./refused.ts";

/**
 * The document without its signatures, byte for byte what was signed. Throws `manifest_invalid` where they do not agree on it, and where
 * it is not just the rest of the document: else a trusted digest could come with other layers.
 */
export function payloadOf(bytes: Buffer): Buffer {
  const signatures = readObject(bytes, "the manifest")["signatures"];
  if (!Array.isArray(signatures) || signatures.length === 0)
    throw invalid("its `signatures` are not a list of signatures");
  const [payload, ...others] = signatures.map((signature) => payloadFor(bytes, signature));
  if (payload === undefined || others.some((other) => !other.equals(payload)))
    throw invalid("its signatures are of different documents");
  return payload;
}

function payloadFor(bytes: Buffer, signature: unknown): Buffer {
  const text = isObject(signature) ? signature["protected"] : undefined;
  const { formatLength, formatTail } = readObject(
    fromBase64Url(text),
    "the header of a signature",
  ) as { formatLength?: unknown; formatTail?: unknown };
  if (typeof formatLength !== "number" || !Number.isSafeInteger(formatLength) || formatLength < 1)
    throw invalid("a signature has no valid `formatLength`");
  const tail = fromBase64Url(formatTail);
  if (tail.toString().trim() !== "}" || !isSpliced(bytes.subarray(formatLength)))
    throw invalid("what is signed is not what it says");
  return Buffer.concat([bytes.subarray(0, formatLength), tail]);
}

/** Whether the end of a document, which is valid as a whole, has its signatures and nothing else: `,"signatures":[…]}`. */
function isSpliced(end: Buffer): boolean {
  const text = end.toString().trimStart();
  if (!text.startsWith(",")) return false;
  try {
    return Object.keys(JSON.parse(`{${text.slice(1)}`) as object).join() === "signatures";
  } catch {
    return false;
  }
}

function readObject(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(bytes, { numbers: "integers" });
  } catch (error) {
    throw invalid(`${what}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function fromBase64Url(text: unknown): Buffer {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*={0,2}$/.test(text))
    throw invalid("a signature's header is not base64url");
  return Buffer.from(text, "base64url");
}

/**
 * The document with a signature by a key that nobody knows: old registries want one, nobody checks by whom (as containers/image does).
 * `document` is one line of JSON, an object.
 */
export function withDummySignature(document: Buffer): Buffer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const formatLength = document.lastIndexOf("}");
  const payload = document.toString("base64url");
  const header = Buffer.from(
    goStruct({
      formatLength: String(formatLength),
      formatTail: goString(Buffer.from("}").toString("base64url")),
      time: goString(`${new Date().toISOString().slice(0, 19)}Z`),
    }),
  ).toString("base64url");
  const signature = goStruct({
    header: goStruct({ jwk: publicJwk(publicKey), alg: goString("ES256") }),
    signature: goString(signatureOf(`${header}.${payload}`, privateKey)),
    protected: goString(header),
  });
  return Buffer.concat([
    document.subarray(0, formatLength),
    Buffer.from(`,"signatures":${goArray([signature])}}`),
  ]);
}

const signatureOf = (text: string, key: KeyObject): string =>
  sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");

function publicJwk(publicKey: KeyObject): string {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return goStruct({
    crv: goString("P-256"),
    kid: goString(keyId(publicKey.export({ format: "der", type: "spki" }))),
    kty: goString("EC"),
    x: goString(x),
    y: goString(y),
  });
}

/** libtrust's name of a key: 240 bits of its SHA-256 in base32, in groups of four letters. */
function keyId(der: Buffer): string {
  const bits = Array.from(createHash("sha256").update(der).digest().subarray(0, 30), (byte) =>
    byte.toString(2).padStart(8, "0"),
  ).join("");
  const letters = Array.from(bits.matchAll(/.{5}/g), ([five]) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".charAt(Number.parseInt(five, 2)),
  ).join("");
  return Array.from(letters.matchAll(/.{4}/g), ([four]) => four).join(":");
}
