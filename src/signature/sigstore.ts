// Sigstore signatures as cosign attaches them: whose they are, and whether they fit (semantics 6.6.1).

import { verify, type KeyObject } from "node:crypto";
import type { StoredSignature } from "./blob.ts";
import {
  chainIn,
  checkEmail,
  checkHostname,
  issuerIn,
  parseCertificates,
  parseLeaf,
  verifyChain,
} from "./certificates.ts";
import { decodeBase64, wordsOf } from "./fields.ts";
import { parsePublicKey, supported } from "./pem.ts";
import { verifyLogged } from "./rekor.ts";
import type { Material, Trust } from "./requirements.ts";

export type SigstoreSignature = Extract<StoredSignature, { kind: "sigstore" }>;

/** The media type of signatures; attestations and others have their own. */
export const SIGSTORE_SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json";

const ANNOTATIONS = {
  signature: "dev.cosignproject.cosign/signature",
  set: "dev.sigstore.cosign/bundle",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
} as const;

/** What the bytes of keys and certificates are read with. */
export type ReadMaterial = (material: Material) => Promise<readonly Buffer[]>;

/** Throws an Error that says why the signature is not one of those trusted over its payload. */
export async function verifySigstore(
  signature: SigstoreSignature,
  trust: Trust,
  read: ReadMaterial,
  now: Date,
): Promise<void> {
  const { payload } = signature;
  const bytes = decodeBase64(annotationOf(signature, "signature"));
  if (bytes === undefined) throw new Error("the signature is not base64");
  const keys = await keysOf({ signature, bytes }, trust, read, now);
  if (!keys.some((key) => isSignedBy(key, payload, bytes)))
    throw new Error("cryptographic signature verification failed");
}

interface Given {
  readonly signature: SigstoreSignature;
  readonly bytes: Buffer;
}

/** The keys that may have made it. */
async function keysOf(
  given: Given,
  trust: Trust,
  read: ReadMaterial,
  now: Date,
): Promise<readonly KeyObject[]> {
  switch (trust.by) {
    case "keys":
      return publicKeys(given, trust, read);
    case "fulcio":
      return [await fulcioKey(given, trust, read)];
    case "pki":
      return [await pkiKey(given, trust, read, now)];
  }
}

async function publicKeys(
  { signature, bytes }: Given,
  { keys, rekor }: Extract<Trust, { by: "keys" }>,
  read: ReadMaterial,
): Promise<readonly KeyObject[]> {
  const candidates = (await read(keys)).map(parsePublicKey);
  if (rekor === undefined) return candidates;
  const rekorKeys = (await read(rekor)).map(parseRekorKey);
  const set = annotationOf(signature, "set");
  const faults: string[] = [];
  for (const key of candidates) {
    const signer = key.export({ type: "spki", format: "pem" });
    try {
      verifyLogged(set, { signer, signature: bytes, payload: signature.payload }, rekorKeys);
      return [key];
    } catch (error) {
      faults.push(wordsOf(error));
    }
  }
  throw new Error(`No public key verified against the RekorSET: ${faults.join(", ")}`);
}

async function fulcioKey(
  { signature, bytes }: Given,
  { authorities, issuer, email, rekor }: Extract<Trust, { by: "fulcio" }>,
  read: ReadMaterial,
): Promise<KeyObject> {
  const rekorKeys = (await read(rekor)).map(parseRekorKey);
  const roots = await certificatesOf(authorities, read);
  const set = annotationOf(signature, "set");
  const signer = annotationOf(signature, "certificate");
  const logged = verifyLogged(
    set,
    { signer, signature: bytes, payload: signature.payload },
    rekorKeys,
  );
  const leaf = parseLeaf(signer);
  const intermediates = chainIn(signature.annotations[ANNOTATIONS.chain]);
  verifyChain(leaf, { roots, intermediates }, logged);
  const vouched = issuerIn(leaf);
  if (vouched !== issuer) throw new Error(`Unexpected Fulcio OIDC issuer "${vouched}"`);
  checkEmail(leaf, email);
  return supported(leaf.publicKey);
}

async function pkiKey(
  { signature }: Given,
  { roots, intermediates, email, hostname }: Extract<Trust, { by: "pki" }>,
  read: ReadMaterial,
  now: Date,
): Promise<KeyObject> {
  const trusted = {
    roots: await certificatesOf(roots, read),
    intermediates: [
      ...(intermediates === undefined ? [] : await certificatesOf(intermediates, read)),
      ...chainIn(signature.annotations[ANNOTATIONS.chain]),
    ],
  };
  const leaf = parseLeaf(annotationOf(signature, "certificate"));
  verifyChain(leaf, trusted, now);
  if (email !== undefined) checkEmail(leaf, email);
  if (hostname !== undefined) checkHostname(leaf, hostname);
  return supported(leaf.publicKey);
}

async function certificatesOf(material: Material, read: ReadMaterial) {
  const files = await read(material);
  const certificates = files.flatMap((file) =>
    parseCertificates(file.toString("utf8"), "comments"),
  );
  if (certificates.length === 0) throw new Error("there is no certificate of an authority");
  return certificates;
}

function parseRekorKey(pem: Buffer): KeyObject {
  const key = parsePublicKey(pem);
  if (key.asymmetricKeyType !== "ec") throw new Error("a Rekor public key is not using ECDSA");
  return key;
}

function annotationOf({ annotations }: SigstoreSignature, name: keyof typeof ANNOTATIONS): string {
  const value = annotations[ANNOTATIONS[name]];
  if (value === undefined) throw new Error(`missing ${ANNOTATIONS[name]} annotation`);
  return value;
}

/** Over SHA-256, but for Ed25519, which has its own hash. */
const isSignedBy = (key: KeyObject, payload: Buffer, signature: Buffer): boolean =>
  verify(
    key.asymmetricKeyType === "ed25519" ? null : "sha256",
    payload,
    { key, dsaEncoding: "der" },
    signature,
  );
