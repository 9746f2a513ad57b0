// Semantics 11.3, table F, and 6.6.1: keys and Rekor.

import { generateKeyPairSync } from "node:crypto";
import { SIGSTORE_SIGNATURE } from "../../src/signature/sigstore.ts";
import { makeSet, publicPem } from "../support/certificates.ts";
import {
  NAME,
  payloadOf,
  key,
  other,
  otherRekor,
  blob,
  data,
  anyTag,
  byKey,
  byRekor,
  byFulcio,
  byPki,
  signedOnce,
  withSet,
  keyless,
  fulcioLeaf,
  chain,
  leafOf,
  own,
  testRows,
  type Row,
} from "../support/sigstore.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed25519 = generateKeyPairSync("ed25519");

const exact = byKey(key, { signedIdentity: { type: "matchExact" } });
const tagged1 = blob({ payload: payloadOf(`${NAME}:tag`) });

const TABLE_F: readonly Row[] = [
  { what: "a signature without a tag, where the repository counts", signatures: [blob()] },
  {
    what: "a signature without a tag, where the exact name counts",
    signatures: [blob()],
    requirement: exact,
    why: /Signature for identity "registry\.example:5000\/signed" is not accepted/,
  },
  { what: "two signatures", signatures: [blob(), blob()] },
  { what: "a bad signature and a good one", signatures: [blob({ by: other }), blob()] },
  {
    what: "two signatures for another repository",
    signatures: [blob(), blob()],
    reference: "this/does-not:match",
    why: /None of the signatures were accepted, reasons: .*; /,
  },
  {
    what: "a signature with the tag",
    signatures: [tagged1],
    requirement: exact,
    reference: `${NAME}:tag`,
  },
  {
    what: "a signature with another tag",
    signatures: [tagged1],
    requirement: exact,
    reference: `${NAME}:othertag`,
    why: /is not accepted/,
  },
  { what: "a logged signature by the key", signatures: [withSet()], requirement: byRekor() },
  {
    what: "a logged signature by another key",
    signatures: [withSet()],
    requirement: byRekor(other),
    why: /No public key verified against the RekorSET: publicKey in Rekor SET does not match/,
  },
  {
    what: "a signature logged by another Rekor",
    signatures: [withSet()],
    requirement: byRekor(key, otherRekor),
    why: /signature verification of the Rekor SET failed/,
  },
  {
    what: "a keyless signature",
    signatures: [keyless(fulcioLeaf(), { chain })],
    requirement: byFulcio(),
  },
  {
    what: "a signature by an own authority's certificate",
    signatures: [own(leafOf({ hostname: "host.example" }))],
    requirement: byPki({ subjectHostname: "host.example" }),
  },
  {
    what: "an attachment of another kind",
    signatures: [blob({ mimeType: "application/vnd.dsse.envelope.v1+json" })],
    why: /no signature exists \(0 non-sigstore signatures, 1 sigstore non-signature attachments\)/,
  },
  {
    what: "a simple signature",
    signatures: [Buffer.from([0x90, 1])],
    why: /no signature exists \(1 non-sigstore signatures, 0 /,
  },
  {
    what: "no signature",
    signatures: [],
    why: /A signature was required, but no signature exists$/,
  },
  {
    what: "a signature for another manifest",
    signatures: [blob({ payload: payloadOf(NAME, `sha256:${"0".repeat(64)}`) })],
    why: /Signature for digest sha256:0+ does not match/,
  },
];

const KEYS: readonly Row[] = [
  { what: "an RSA key's signature", signatures: [blob({ by: rsa })], requirement: byKey(rsa) },
  {
    what: "an Ed25519 key's signature",
    signatures: [blob({ by: ed25519 })],
    requirement: byKey(ed25519),
  },
  {
    what: "a signature by the second of two keys",
    signatures: [blob()],
    requirement: {
      type: "sigstoreSigned",
      keyDatas: [data(publicPem(other)), data(publicPem(key))],
      signedIdentity: anyTag,
    },
  },
  {
    what: "a signature with line ends in its base64",
    signatures: [
      Buffer.from(
        blob()
          .toString("latin1")
          .replace(/signature":"(.{64})/, 'signature":"$1\\n'),
      ),
    ],
  },
  {
    what: "a signature by another key",
    signatures: [blob({ by: other })],
    why: /cryptographic signature verification failed/,
  },
  {
    what: "a payload that was changed",
    signatures: [blob({ signature: signedOnce, payload: payloadOf(`${NAME}2`) })],
    why: /cryptographic signature verification failed/,
  },
  {
    what: "a policy whose key is none",
    signatures: [blob()],
    requirement: byKey(key, { keyData: data("no key") }),
    why: /not in PEM format/,
  },
  {
    what: "a policy whose key is a private one",
    signatures: [blob()],
    requirement: byKey(key, {
      keyData: data(key.privateKey.export({ type: "pkcs8", format: "pem" }) as string),
    }),
    why: /is no public key/,
  },
  {
    what: "an attachment without a signature",
    signatures: [
      Buffer.from(
        `\0sigstore-json\n${JSON.stringify({ mimeType: SIGSTORE_SIGNATURE, payload: "" })}`,
      ),
    ],
    why: /missing dev\.cosignproject\.cosign\/signature annotation/,
  },
];

const SETS: readonly (readonly [
  what: string,
  spoiled: Parameters<typeof makeSet>[2],
  why: RegExp,
])[] = [
  ["an unknown field in it", { sent: (set) => ({ ...set, more: 1 }) }, /\/more is not known/],
  ["an unknown field in its payload", { signed: (p) => ({ ...p, more: 1 }) }, /\/Payload\/more/],
  [
    "a payload changed after it was signed",
    { sent: (set) => ({ ...set, Payload: { ...(set.Payload as object), logIndex: 2 } }) },
    /verification of the Rekor SET failed/,
  ],
  [
    "a time that is no integer",
    { signed: (p) => ({ ...p, integratedTime: 1.5 }) },
    /not an integer/,
  ],
  ["another kind", { body: (body) => ({ ...body, kind: "intoto" }) }, /not a hashedrekord/],
  ["another version", { body: (body) => ({ ...body, apiVersion: "0.0.2" }) }, /unsupported Rekor/],
  [
    "no signature",
    { body: (body) => ({ ...body, spec: { data: body.spec.data } }) },
    /Missing "signature/,
  ],
  [
    "another signature",
    {
      body: (body) => ({
        ...body,
        spec: { ...body.spec, signature: { ...body.spec.signature, content: "AAAA" } },
      }),
    },
    /signature in Rekor SET does not match/,
  ],
  [
    "another hash",
    {
      body: (body) => ({
        ...body,
        spec: { ...body.spec, data: { hash: { algorithm: "sha256", value: "00" } } },
      }),
    },
    /payload in Rekor SET does not match/,
  ],
  [
    "another algorithm",
    {
      body: (body) => ({
        ...body,
        spec: { ...body.spec, data: { hash: { algorithm: "sha512", value: "00" } } },
      }),
    },
    /Unexpected "data\.hash\.algorithm"/,
  ],
];

const LOGGED: readonly Row[] = [
  {
    what: "a signature that was not logged",
    signatures: [blob()],
    requirement: byRekor(),
    why: /missing dev\.sigstore\.cosign\/bundle/,
  },
  ...SETS.map(([what, spoiled, why]) => ({
    what: `a SET with ${what}`,
    signatures: [withSet(spoiled)],
    requirement: byRekor(),
    why,
  })),
  {
    what: "a Rekor key that is not of ECDSA",
    signatures: [withSet()],
    requirement: byKey(key, { rekorPublicKeyData: data(publicPem(rsa)) }),
    why: /not using ECDSA/,
  },
];

testRows([...TABLE_F, ...KEYS, ...LOGGED]);
