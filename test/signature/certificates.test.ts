// Whose certificates are trusted (semantics 6.6.1): Fulcio, and an own authority.

import { CODE_SIGNING, issue, SERVER_AUTH } from "../support/certificates.ts";
import {
  ago,
  EMAIL,
  ISSUER,
  UNKNOWN,
  blob,
  data,
  root,
  middle,
  v1,
  v2,
  byFulcio,
  byPki,
  withSet,
  keyless,
  fulcioLeaf,
  chain,
  leafOf,
  own,
  testRows,
  type Row,
} from "../support/sigstore.ts";

const day = 24;
const FULCIO: readonly Row[] = [
  {
    what: "a keyless signature whose certificate was valid when it was logged",
    signatures: [keyless(fulcioLeaf({ from: ago(3), to: ago(2) }), { chain, at: ago(2.5) })],
    requirement: byFulcio(),
  },
  {
    what: "a keyless signature that was logged after its certificate expired",
    signatures: [keyless(fulcioLeaf({ from: ago(3), to: ago(2) }), { chain })],
    requirement: byFulcio(),
    why: /expired/,
  },
  {
    what: "a keyless signature with the issuer in its old place",
    signatures: [keyless(fulcioLeaf({ extensions: [v1(ISSUER)] }), { chain })],
    requirement: byFulcio(),
  },
  {
    what: "a keyless signature whose issuers agree",
    signatures: [keyless(fulcioLeaf({ extensions: [v1(ISSUER), v2(ISSUER)] }), { chain })],
    requirement: byFulcio(),
  },
  {
    what: "a keyless signature whose issuers do not agree",
    signatures: [
      keyless(fulcioLeaf({ extensions: [v1(ISSUER), v2("https://other.example")] }), { chain }),
    ],
    requirement: byFulcio(),
    why: /inconsistent OIDC issuer/,
  },
  {
    what: "a keyless signature without an issuer",
    signatures: [keyless(fulcioLeaf({ extensions: [] }), { chain })],
    requirement: byFulcio(),
    why: /missing the issuer extension/,
  },
  {
    what: "a keyless signature with an issuer twice",
    signatures: [keyless(fulcioLeaf({ extensions: [v1(ISSUER), v1(ISSUER)] }), { chain })],
    requirement: byFulcio(),
    why: /./,
  },
  {
    what: "a keyless signature by another issuer's subject",
    signatures: [keyless(fulcioLeaf(), { chain })],
    requirement: byFulcio({ oidcIssuer: "https://other.example" }),
    why: /Unexpected Fulcio OIDC issuer/,
  },
  {
    what: "a keyless signature by somebody else",
    signatures: [keyless(fulcioLeaf(), { chain })],
    requirement: byFulcio({ subjectEmail: EMAIL.toUpperCase() }),
    why: /Required email "SOMEBODY@EXAMPLE\.COM" not found/,
  },
  {
    what: "a keyless signature without a SET",
    signatures: [own(fulcioLeaf())],
    requirement: byFulcio(),
    why: /missing dev\.sigstore\.cosign\/bundle/,
  },
  {
    what: "a keyless signature without a certificate",
    signatures: [withSet()],
    requirement: byFulcio(),
    why: /missing dev\.sigstore\.cosign\/certificate/,
  },
  {
    what: "a keyless signature with another's certificate",
    signatures: [keyless(fulcioLeaf(), { chain, certificate: fulcioLeaf().pem })],
    requirement: byFulcio(),
    why: /publicKey in Rekor SET does not match/,
  },
];

const stranger = issue({ subject: "root", authority: true });
const noAuthority = issue({ subject: "no authority" }, root);
const short = issue({ subject: "short", authority: true, pathLength: 0 }, root);
const below = issue({ subject: "below", authority: true }, short);
const constrained = issue(
  {
    subject: "constrained",
    authority: true,
    extensions: [{ oid: "2.5.29.30", value: Buffer.from("3000", "hex") }],
  },
  root,
);
const PKI: readonly Row[] = [
  { what: "a chain to the root", signatures: [own(leafOf())] },
  { what: "a certificate of the root's own", signatures: [own(leafOf({}, root), { chain: "" })] },
  {
    what: "an authority that the policy has",
    signatures: [own(leafOf(), { chain: "" })],
    requirement: byPki({ caIntermediatesData: data(middle.pem) }),
  },
  { what: "a certificate for any use", signatures: [own(leafOf({ usages: ["2.5.29.37.0"] }))] },
  {
    what: "a certificate that says nothing of its use",
    signatures: [own(issue({ email: EMAIL }, middle))],
  },
  {
    what: "a chain without the authority",
    signatures: [own(leafOf(), { chain: root.pem })],
    why: /comes from no authority/,
  },
  {
    what: "an authority that is the chain's last",
    signatures: [own(leafOf(), { chain: middle.pem })],
    why: /comes from no authority/,
  },
  {
    what: "another root of the same name",
    signatures: [own(leafOf({}, stranger), { chain: "" })],
    why: /comes from no authority/,
  },
  {
    what: "a root that the signature brings along",
    signatures: [own(leafOf({}, stranger), { chain: stranger.pem + stranger.pem })],
    why: /comes from no authority/,
  },
  {
    what: "an issuer that is no authority",
    signatures: [own(leafOf({}, noAuthority), { chain: noAuthority.pem + root.pem })],
    why: /comes from no authority/,
  },
  {
    what: "an authority below one that may have none",
    signatures: [own(leafOf({}, below), { chain: below.pem + short.pem + root.pem })],
    why: /comes from no authority/,
  },
  {
    what: "an authority that may have none below it",
    signatures: [own(leafOf({}, short), { chain: short.pem + root.pem })],
  },
  {
    what: "an expired certificate",
    signatures: [own(leafOf({ from: ago(2 * day), to: ago(1) }))],
    why: /expired/,
  },
  {
    what: "a certificate that is not valid yet",
    signatures: [own(leafOf({ from: ago(-1) }))],
    why: /not valid yet/,
  },
  {
    what: "a certificate for servers",
    signatures: [own(leafOf({ usages: [SERVER_AUTH] }))],
    why: /not for signing code/,
  },
  {
    what: "a critical extension that is not known",
    signatures: [
      own(leafOf({ extensions: [{ oid: UNKNOWN, value: Buffer.alloc(2), critical: true }] })),
    ],
    why: /which is not understood/,
  },
  {
    what: "an authority for certain names only",
    signatures: [own(leafOf({}, constrained), { chain: constrained.pem + root.pem })],
    why: /comes from no authority/,
  },
  {
    what: "an extension that is not known",
    signatures: [own(leafOf({ extensions: [{ oid: UNKNOWN, value: Buffer.alloc(2) }] }))],
  },
  {
    what: "another mail address",
    signatures: [own(leafOf({ email: "other@example.com" }))],
    why: /Required email/,
  },
  {
    what: "no mail address",
    signatures: [own(issue({ usages: [CODE_SIGNING] }, middle))],
    why: /Required email/,
  },
  {
    what: "another host",
    signatures: [own(leafOf({ hostname: "other.example" }))],
    requirement: byPki({ subjectHostname: "host.example" }),
    why: /Unexpected subject hostname/,
  },
  {
    what: "two certificates in the signer's place",
    signatures: [own(leafOf(), { certificate: leafOf().pem + leafOf().pem })],
    why: /unexpected multiple certificates/,
  },
  {
    what: "no certificate",
    signatures: [blob()],
    why: /missing dev\.sigstore\.cosign\/certificate/,
  },
  {
    what: "another's certificate",
    signatures: [own(leafOf(), { certificate: leafOf().pem })],
    why: /cryptographic signature/,
  },
].map((row) => ({ requirement: byPki(), ...row }));

testRows([...FULCIO, ...PKI]);
