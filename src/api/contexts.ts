// How a side is reached: checks of `sourceContext`, `destinationContext` and `context`, and the secrets in them.

import { X509Certificate } from "node:crypto";
import type { PlatformChoice } from "../image/platform.ts";
import type { ImageReference } from "../image/reference.ts";
import type { Credentials, JobSecrets, SideContext } from "../jobs/record.ts";
import { MUST_VERIFY } from "../transport/access.ts";
import type { Fault } from "./faults.ts";
import { GZIP_LEVELS } from "./option-schemas.ts";
import type { DestinationContext, JobRequest, RequestContext } from "./schemas.ts";

type Context = RequestContext & Partial<DestinationContext>;

/** The transports that fields are for; what is not here means something for all of them. */
const MEANING: Readonly<Partial<Record<keyof Context, readonly string[]>>> = {
  auth: ["docker"],
  caCertificates: ["docker"],
  sharedBlobDir: ["oci"],
  acceptUncompressedLayers: ["oci", "oci-archive"],
  dirForceCompress: ["dir"],
  dirForceDecompress: ["dir"],
};
/** A layout that is read may have layers that are kept elsewhere, behind TLS. */
const READ_MEANING: typeof MEANING = {
  ...MEANING,
  caCertificates: ["docker", "oci", "oci-archive"],
};

/** Where paths must stay, and what requests may not ask for. */
export interface Border {
  readonly dataDir: string;
  readonly registries: { readonly mustVerify: boolean };
}

/** A client who sends a field to a transport that has no use for it has mistaken something: the side, the option, the transport. */
export function checkContext(
  pointer: string,
  context: Context = {},
  reference: ImageReference | undefined,
  { registries }: Border,
  faults: Fault[],
): void {
  const add = (field: keyof Context, detail: string): void =>
    void faults.push({ pointer: `${pointer}/${field}`, detail });
  const meaning = pointer === "/destinationContext" ? MEANING : READ_MEANING;
  for (const [field, transports] of Object.entries(meaning)) {
    const value = context[field as keyof Context];
    if (reference === undefined || value === undefined || value === false) continue;
    if (!transports.includes(reference.transport))
      add(
        field as keyof Context,
        `has no meaning for \`${reference.transport}:\`, only for ${transports.map((t) => `\`${t}:\``).join(" and ")}: leave it out`,
      );
  }
  if (context.tlsVerify === false && registries.mustVerify) add("tlsVerify", MUST_VERIFY);
  // gzip is what layers are compressed into where nothing else is asked for.
  const { caCertificates, compressionFormat = "gzip", compressionLevel = 0 } = context;
  const fault = caCertificates === undefined ? undefined : certificateFault(caCertificates);
  if (fault !== undefined) add("caCertificates", fault);
  if (context.dirForceCompress === true && context.dirForceDecompress === true)
    add("dirForceDecompress", "contradicts `dirForceCompress`: leave one of them out");
  if (compressionFormat === "gzip" && compressionLevel > GZIP_LEVELS)
    add(
      "compressionLevel",
      `is above ${GZIP_LEVELS}, gzip's highest: lower it, or set \`compressionFormat\` to \`zstd\``,
    );
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

/** How a side is reached, without its secrets, with what an absent field means. */
export const contextOf = (context: RequestContext = {}): SideContext => ({
  ...(context.auth !== undefined && isEmpty(context.auth) && { anonymous: true }),
  ...(context.tlsVerify !== undefined && { tlsVerify: context.tlsVerify }),
  ...(context.caCertificates !== undefined && { caCertificates: context.caCertificates }),
  ...(context.sharedBlobDir !== undefined && { sharedBlobDir: context.sharedBlobDir }),
});

const isEmpty = (auth: object): boolean => Object.keys(auth).length === 0;

/** The image of a list that is meant. */
export const platformOf = ({ os, architecture, variant }: RequestContext = {}): PlatformChoice => ({
  ...(os !== undefined && { os }),
  ...(architecture !== undefined && { architecture }),
  ...(variant !== undefined && { variant }),
});

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

/** Undefined where there are none, or where they are faulty. An empty object asks to be nobody. */
export function credentialsOf(
  auth: RequestContext["auth"],
  pointer: string,
  faults: Fault[],
): Credentials | undefined {
  if (auth === undefined || isEmpty(auth)) return undefined;
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
