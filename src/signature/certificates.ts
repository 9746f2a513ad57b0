// Whether a signer's certificate comes from an authority that a policy trusts, and whom it names (semantics 6.6.1).

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { emailsIn, extensionsOf, pathLengthIn, utf8In } from "./der.ts";
import { pemBlocks } from "./pem.ts";

/** Authorities, and what may stand between them and a signer. */
export interface Authorities {
  readonly roots: readonly X509Certificate[];
  readonly intermediates: readonly X509Certificate[];
}

/** The certificates of a PEM file. Throws an Error where one is damaged, or there is what `rest` does not allow. */
export const parseCertificates = (
  pem: string,
  rest?: "nothing" | "comments",
): readonly X509Certificate[] =>
  pemBlocks(pem, rest)
    .filter(({ label }) => label === "CERTIFICATE")
    .map(({ der }) => new X509Certificate(der));

/** The signer's own. Throws an Error for anything but one certificate. */
export function parseLeaf(pem: string): X509Certificate {
  const [leaf, ...others] = parseCertificates(pem);
  if (leaf === undefined) throw new Error("no certificate found in signature certificate data");
  if (others.length > 0)
    throw new Error("unexpected multiple certificates present in signature certificate data");
  return leaf;
}

/** What a signature's chain adds: all but the last, which is taken for a root, and roots are the policy's. */
export const chainIn = (pem: string | undefined): readonly X509Certificate[] =>
  pem === undefined || pem === "" ? [] : parseCertificates(pem).slice(0, -1);

/** Throws an Error unless there is a way from the certificate to a root, all of it valid at `time` and for signing code. */
export function verifyChain(leaf: X509Certificate, trusted: Authorities, time: Date): void {
  const fault = faultOf(leaf, time);
  if (fault !== undefined) throw new Error(`verifying leaf certificate failed: ${fault}`);
  if (!leadsToRoot([leaf], trusted, time))
    throw new Error("verifying leaf certificate failed: it comes from no authority of the policy");
}

/** Certificates from the signer's up to the last below a root. */
const LONGEST_CHAIN = 8;

function leadsToRoot(chain: readonly X509Certificate[], trusted: Authorities, time: Date): boolean {
  const { roots, intermediates } = trusted;
  const last = chain.at(-1);
  if (last === undefined || chain.length > LONGEST_CHAIN) return false;
  if (roots.some((root) => root.raw.equals(last.raw))) return true;
  const issues = (issuer: X509Certificate): boolean =>
    !chain.some((below) => below.raw.equals(issuer.raw)) &&
    isIssuedBy(last, issuer) &&
    faultOf(issuer, time) === undefined &&
    mayHaveBelow(issuer, chain);
  return (
    roots.some(issues) ||
    intermediates.some(
      (issuer) =>
        issues(issuer) &&
        leadsToRoot(
          [...chain, issuer],
          { roots, intermediates: intermediates.filter((other) => other !== issuer) },
          time,
        ),
    )
  );
}

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca &&
  certificate.checkIssued(issuer) &&
  !/md[245]|sha-?1(?!\d)/i.test(certificate.signatureAlgorithm ?? "md5") &&
  certificate.verify(issuer.publicKey);

/** The authorities in between count; one that issued itself a new certificate does not. */
function mayHaveBelow(issuer: X509Certificate, chain: readonly X509Certificate[]): boolean {
  const constraints = extensionsOf(issuer.raw).get(BASIC_CONSTRAINTS);
  const length = constraints && pathLengthIn(constraints.value);
  const between = chain.slice(1).filter(({ subject, issuer: from }) => subject !== from).length;
  return length === undefined || between <= length;
}

const BASIC_CONSTRAINTS = "2.5.29.19";
const NAME_CONSTRAINTS = "2.5.29.30";
const ALTERNATIVE_NAMES = "2.5.29.17";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const UNDERSTOOD = [BASIC_CONSTRAINTS, ALTERNATIVE_NAMES, KEY_USAGE, EXTENDED_KEY_USAGE];
/** Code signing, or anything. */
const USAGES = ["1.3.6.1.5.5.7.3.3", "2.5.29.37.0"];

/** What makes a certificate of a chain useless by itself. */
function faultOf(certificate: X509Certificate, time: Date): string | undefined {
  const { validFromDate: from, validToDate: to } = certificate;
  // Undefined where there is no such extension, whatever the types say.
  const usages: readonly string[] | undefined = certificate.keyUsage;
  if (time < from || time > to) return "a certificate is expired, or not valid yet";
  if (usages !== undefined && !usages.some((usage) => USAGES.includes(usage)))
    return "a certificate is not for signing code";
  for (const [oid, { critical }] of extensionsOf(certificate.raw))
    if (oid === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(oid)))
      return `a certificate has the extension ${oid}, which is not understood here`;
  return undefined;
}

/** Throws an Error unless the certificate names the mail address, exactly so. */
export function checkEmail(certificate: X509Certificate, email: string): void {
  const names = extensionsOf(certificate.raw).get(ALTERNATIVE_NAMES);
  const emails = names === undefined ? [] : emailsIn(names.value);
  if (!emails.includes(email)) throw new Error(`Required email "${email}" not found`);
}

/** Throws an Error unless the certificate is for the host. */
export function checkHostname(certificate: X509Certificate, hostname: string): void {
  const matches = isIP(hostname)
    ? certificate.checkIP(hostname)
    : certificate.checkHost(hostname, { subject: "never", partialWildcards: false });
  if (matches === undefined)
    throw new Error(`Unexpected subject hostname: the certificate is not for ${hostname}`);
}

/** The OIDC issuer that Fulcio wrote down: as bytes, as an ASN.1 text, or as both. */
const ISSUER_V1 = "1.3.6.1.4.1.57264.1.1";
const ISSUER_V2 = "1.3.6.1.4.1.57264.1.8";

/** Throws an Error unless the certificate says who vouched for its subject, and says it once. */
export function issuerIn(certificate: X509Certificate): string {
  const extensions = extensionsOf(certificate.raw);
  const old = extensions.get(ISSUER_V1)?.value.toString("utf8");
  const ours = extensions.get(ISSUER_V2);
  const current = ours && utf8In(ours.value);
  if (old !== undefined && current !== undefined && old !== current)
    throw new Error(`inconsistent OIDC issuer extension values: v1 "${old}", v2 "${current}"`);
  const issuer = old ?? current;
  if (issuer === undefined) throw new Error("Fulcio certificate is missing the issuer extension");
  return issuer;
}
