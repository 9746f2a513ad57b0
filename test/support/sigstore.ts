// Sigstore signatures of one image, and the requirements that they are held against.

import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { policyFor } from "../../src/signature/evaluate.ts";
import { parsePolicy } from "../../src/signature/policy.ts";
import { SIGSTORE_SIGNATURE } from "../../src/signature/sigstore.ts";
import { never } from "./bytes.ts";
import {
  CODE_SIGNING,
  issue,
  makePair,
  makeSet,
  publicPem,
  tagged,
  type Issued,
  type Pair,
} from "./certificates.ts";
import { failure } from "./folders.ts";

const HOUR = 60 * 60 * 1000;
export const ago = (hours: number): Date => new Date(Date.now() - hours * HOUR);
export const NAME = "registry.example:5000/signed";
export const EMAIL = "somebody@example.com";
export const ISSUER = "https://issuer.example/oauth";
export const ISSUER_V1 = "1.3.6.1.4.1.57264.1.1";
export const ISSUER_V2 = "1.3.6.1.4.1.57264.1.8";
export const UNKNOWN = "1.3.6.1.4.1.57264.1.99";

export const manifest = { bytes: Buffer.from('{"schemaVersion":2}'), mediaType: OCI_MANIFEST };
export const payloadOf = (reference: string, digest: string = digestOf(manifest.bytes)): Buffer =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": reference },
        image: { "docker-manifest-digest": digest },
        type: "cosign container image signature",
      },
      optional: null,
    }),
  );
export const payload = payloadOf(NAME);

export const [key, other, rekor, otherRekor] = [makePair(), makePair(), makePair(), makePair()];
export interface Signing {
  readonly by?: Pair;
  readonly payload?: Buffer;
  readonly set?: string;
  readonly certificate?: string;
  readonly chain?: string;
  readonly mimeType?: string;
  readonly signature?: Buffer;
}

export const signatureBy = ({ privateKey }: Pair, signed = payload): Buffer =>
  sign(privateKey.asymmetricKeyType === "ed25519" ? null : "sha256", signed, privateKey);

export function blob(given: Signing = {}): Buffer {
  const { by = key, payload: signed = payload, set, certificate, chain } = given;
  const { mimeType = SIGSTORE_SIGNATURE, signature = signatureBy(by, signed) } = given;
  const annotations = {
    "dev.cosignproject.cosign/signature": signature.toString("base64"),
    ...(set !== undefined && { "dev.sigstore.cosign/bundle": set }),
    ...(certificate !== undefined && { "dev.sigstore.cosign/certificate": certificate }),
    ...(chain !== undefined && { "dev.sigstore.cosign/chain": chain }),
  };
  const json = { mimeType, payload: signed.toString("base64"), annotations };
  return Buffer.from(`\0sigstore-json\n${JSON.stringify(json)}`);
}

export const data = (...texts: readonly string[]): string =>
  Buffer.from(texts.join("")).toString("base64");
export const anyTag = { type: "matchRepository" };
export const byKey = (pair: Pair, more: object = {}) => ({
  type: "sigstoreSigned",
  keyData: data(publicPem(pair)),
  signedIdentity: anyTag,
  ...more,
});
export const byRekor = (pair = key, log = rekor) =>
  byKey(pair, { rekorPublicKeyData: data(publicPem(log)) });

export const root = issue({ subject: "root", authority: true });
export const middle = issue({ subject: "middle", authority: true }, root);
export const signer = { email: EMAIL, usages: [CODE_SIGNING] };
export const v1 = (text: string) => ({ oid: ISSUER_V1, value: Buffer.from(text) });
export const v2 = (text: string) => ({ oid: ISSUER_V2, value: tagged(0x0c, Buffer.from(text)) });

export const byFulcio = (more: object = {}) => ({
  type: "sigstoreSigned",
  fulcio: {
    caData: data("# a comment\n", root.pem),
    oidcIssuer: ISSUER,
    subjectEmail: EMAIL,
    ...more,
  },
  rekorPublicKeyData: data(publicPem(rekor)),
  signedIdentity: anyTag,
});
export const byPki = (more: object = {}) => ({
  type: "sigstoreSigned",
  pki: { caRootsData: data(root.pem), subjectEmail: EMAIL, ...more },
  signedIdentity: anyTag,
});

export const logged = (pem: string, signature: Buffer, more: Parameters<typeof makeSet>[2] = {}) =>
  makeSet(rekor, { signer: pem, signature, payload }, more);
export const signedOnce = signatureBy(key);
export const withSet = (more: Parameters<typeof makeSet>[2] = {}): Buffer =>
  blob({ signature: signedOnce, set: logged(publicPem(key), signedOnce, more) });

/** As Fulcio would have it: a short-lived certificate that Rekor saw in time. */
export function keyless(leaf: Issued, more: Signing & { readonly at?: Date } = {}): Buffer {
  const { at = ago(0), ...rest } = more;
  const signature = signatureBy(leaf);
  const set = logged(leaf.pem, signature, { seconds: Math.floor(at.getTime() / 1000) });
  return blob({ by: leaf, signature, set, certificate: leaf.pem, ...rest });
}
export const fulcioLeaf = (more: Parameters<typeof issue>[0] = {}, issuer = middle): Issued =>
  issue({ ...signer, extensions: [v2(ISSUER)], ...more }, issuer);
export const chain = middle.pem + root.pem;
export const leafOf = (more: Parameters<typeof issue>[0] = {}, issuer = middle): Issued =>
  issue({ ...signer, ...more }, issuer);
export const own = (leaf: Issued, more: Signing = {}): Buffer =>
  blob({ by: leaf, certificate: leaf.pem, chain, ...more });

export interface Row {
  readonly what: string;
  readonly signatures: readonly Buffer[];
  readonly requirement?: object;
  readonly reference?: string;
  /** Undefined: the image is allowed. */
  readonly why?: RegExp;
}

async function check({
  signatures,
  requirement = byKey(key),
  reference = NAME,
}: Row): Promise<void> {
  const name = parseDockerReference(reference, reference);
  const subject = { transport: "docker", reference: `docker://${reference}`, name };
  const document = parsePolicy({ default: [requirement] }, "data-only");
  const blobs = signatures.map((bytes) => ({ bytes }));
  await policyFor([document], subject).check({ manifest, signatures: async () => blobs }, never);
}

/** A test for each row: allowed where it has no `why`. */
export function testRows(rows: readonly Row[]): void {
  for (const row of rows)
    test(`${row.what} is ${row.why === undefined ? "enough" : "refused"}`, async () => {
      if (row.why === undefined) await check(row);
      else await assert.rejects(check(row), failure("policy_rejected", row.why));
    });
}
