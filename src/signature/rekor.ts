// Rekor's promise that a signature is in its log: the SignedEntryTimestamp (semantics 6.6.1, step 3).

import { createHash, verify, type KeyObject } from "node:crypto";
import { isObject, parseJson } from "../image/json.ts";
import { base64At, decodeBase64, fieldsAt, stringAt, type Fields } from "./fields.ts";
import { onlyBlock } from "./pem.ts";

/** What must be in the log. */
export interface LogEntry {
  /** PEM of the public key or certificate that made the signature. */
  readonly signer: string;
  readonly signature: Buffer;
  readonly payload: Buffer;
}

/** When the entry was logged. Throws an Error unless one of the keys has signed that this very entry was. */
export function verifyLogged(set: string, entry: LogEntry, rekorKeys: readonly KeyObject[]): Date {
  const fields = fieldsAt(parse(Buffer.from(set)), "", ["SignedEntryTimestamp", "Payload"]);
  const signature = base64At(fields["SignedEntryTimestamp"], "/SignedEntryTimestamp");
  const payload = fieldsAt(fields["Payload"], "/Payload", [
    "body",
    "integratedTime",
    "logIndex",
    "logID",
  ]);
  const { integratedTime: seconds } = payload;
  const signed = canonical(payload);
  if (!rekorKeys.some((key) => verify("sha256", signed, { key, dsaEncoding: "der" }, signature)))
    throw new Error("cryptographic signature verification of the Rekor SET failed");
  checkBody(base64At(payload["body"], "/Payload/body"), entry);
  return new Date((seconds as number) * 1000);
}

const parse = (bytes: Buffer): unknown => parseJson(bytes, { keys: "exact", numbers: "integers" });

/** RFC 8785: members in order, no blanks. JavaScript writes strings and integers as it asks for. */
function canonical(payload: Fields): Buffer {
  const { body, integratedTime, logID, logIndex } = payload;
  stringAt(body, "/Payload/body");
  stringAt(logID, "/Payload/logID");
  if (!Number.isSafeInteger(integratedTime) || !Number.isSafeInteger(logIndex))
    throw new Error("the time or the index of a Rekor SET is not an integer");
  return Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
}

/** A hashedrekord entry says who signed what. Members that are not looked at may be there. */
function checkBody(body: Buffer, { signer, signature, payload }: LogEntry): void {
  const record = parse(body);
  const at = (...path: readonly string[]): unknown =>
    path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), record);
  if (at("kind") !== "hashedrekord") throw new Error("a Rekor entry is not a hashedrekord");
  if (at("apiVersion") !== "0.0.1")
    throw new Error("unsupported Rekor SET Payload hashedrekord version");
  const bytesAt = (...path: readonly string[]): Buffer => {
    const text = at("spec", ...path);
    const bytes = typeof text === "string" ? decodeBase64(text) : undefined;
    if (bytes === undefined) throw new Error(`Missing "${path.join(".")}" field in hashedrekord`);
    return bytes;
  };
  const logged = onlyBlock(bytesAt("signature", "publicKey", "content").toString("utf8"));
  if (!logged.der.equals(onlyBlock(signer).der))
    throw new Error("publicKey in Rekor SET does not match");
  if (!bytesAt("signature", "content").equals(signature))
    throw new Error("signature in Rekor SET does not match");
  if (at("spec", "data", "hash", "algorithm") !== "sha256")
    throw new Error('Unexpected "data.hash.algorithm" value');
  const hash = createHash("sha256").update(payload).digest("hex");
  if (at("spec", "data", "hash", "value") !== hash)
    throw new Error("payload in Rekor SET does not match");
}
