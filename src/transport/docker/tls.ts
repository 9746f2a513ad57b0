// Whom a connection trusts, and as whom it is made.

import { createHash, X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { CopyError } from "../../errors.ts";
import type { HostCertificates } from "../../host/certs-d.ts";

/** What decides whether a peer's certificate is accepted, and which is shown to it. */
export interface TlsIdentity {
  /** Absent: it is checked. */
  readonly tlsVerify?: boolean;
  /** PEM; added to the authorities that Node trusts. */
  readonly caCertificates?: string;
  /** The operator's for the registry, likewise. */
  readonly hostCertificates?: HostCertificates | undefined;
}

/** A name for the identity that is safe to keep, and short. */
export const tlsKey = ({ tlsVerify, caCertificates, hostCertificates }: TlsIdentity): string =>
  `${tlsVerify !== false}:${caCertificates === undefined ? "" : sha256(caCertificates)}:${hostCertificates?.fingerprint ?? ""}`;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Undefined: as Node has it. Throws `tls_failed` where certificates are none. */
export function secureContextOf({
  caCertificates,
  hostCertificates,
}: TlsIdentity): SecureContext | undefined {
  if (caCertificates === undefined && hostCertificates === undefined) return undefined;
  try {
    // createSecureContext itself takes anything for a certificate and trusts nobody more for it.
    if (caCertificates !== undefined) new X509Certificate(caCertificates);
    const given = caCertificates === undefined ? [] : [caCertificates];
    const trusted = [...getCACertificates("default"), ...given];
    return createSecureContext(hostCertificates?.contextOptions(trusted) ?? { ca: trusted });
  } catch (error) {
    throw new CopyError(
      "tls_failed",
      "`caCertificates` are not certificates in PEM",
      { phase: "connect" },
      error,
    );
  }
}
