// How a side is reached: checks of `sourceContext`, `destinationContext` and `context`, and the secrets in them.

import { X509Certificate } from "node:crypto";
import type { ImageReference } from "../image/reference.ts";
import type { Credentials, JobSecrets } from "../jobs/record.ts";
import type { Fault } from "./faults.ts";
import type { JobRequest, RequestContext } from "./schemas.ts";

/** Credentials and certificates are for registries only; a client who sends them elsewhere has mistaken a side. */
export function checkContext(
  pointer: string,
  context: RequestContext | undefined,
  reference: ImageReference | undefined,
  faults: Fault[],
): void {
  if (reference !== undefined && reference.transport !== "docker") {
    for (const field of ["auth", "caCertificates"] as const) {
      if (context?.[field] !== undefined)
        faults.push({
          pointer: `${pointer}/${field}`,
          detail: `has no meaning for \`${reference.transport}:\`, which is no registry`,
        });
    }
  }
  const fault =
    context?.caCertificates === undefined ? undefined : certificateFault(context.caCertificates);
  if (fault !== undefined) faults.push({ pointer: `${pointer}/caCertificates`, detail: fault });
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

/** What is wrong with PEM text; undefined: nothing. Text between the certificates is allowed, as bundles have it; keys are not. */
function certificateFault(pem: string): string | undefined {
  if (pem.includes("PRIVATE KEY-----")) return "holds a private key: send certificates only";
  const blocks = pem.split(BEGIN).slice(1);
  if (blocks.length === 0) return "holds no PEM certificate";
  for (const [index, block] of blocks.entries()) {
    const end = block.indexOf(END);
    if (end < 0 || !isCertificate(`${BEGIN}${block.slice(0, end)}${END}\n`))
      return `its certificate ${index + 1} cannot be read`;
  }
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** The credentials of both sides, apart from everything else. */
export function secretsOf(request: JobRequest, faults: Fault[]): JobSecrets {
  const source = credentialsOf(request.sourceContext?.auth, "/sourceContext/auth", faults);
  const destination = credentialsOf(
    request.destinationContext?.auth,
    "/destinationContext/auth",
    faults,
  );
  return {
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
  };
}

/** Undefined where there are none, or where they are faulty. */
export function credentialsOf(
  auth: RequestContext["auth"],
  pointer: string,
  faults: Fault[],
): Credentials | undefined {
  if (auth === undefined) return undefined;
  const { username, password, identityToken, registryToken } = auth;
  for (const [field, value] of Object.entries(auth)) {
    if (hasControl(value))
      faults.push({ pointer: `${pointer}/${field}`, detail: "has control characters in it" });
  }
  const kinds = [
    username !== undefined || password !== undefined,
    identityToken !== undefined,
    registryToken !== undefined,
  ].filter(Boolean).length;
  if (kinds !== 1) {
    faults.push({
      pointer,
      detail: "must hold one of: `username` with `password`, `identityToken`, `registryToken`",
    });
    return undefined;
  }
  if (identityToken !== undefined) return { identityToken };
  if (registryToken !== undefined) return { registryToken };
  if (username === undefined) faults.push({ pointer: `${pointer}/username`, detail: "is missing" });
  if (password === undefined) faults.push({ pointer: `${pointer}/password`, detail: "is missing" });
  // RFC 7617: the first colon ends the name.
  if (username?.includes(":") === true)
    faults.push({ pointer: `${pointer}/username`, detail: "must not have a colon in it" });
  return username === undefined || password === undefined ? undefined : { username, password };
}

const hasControl = (text: string): boolean => [...text].some((c) => c < " " || c === "\x7f");
