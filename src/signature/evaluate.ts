// Whether an image may be copied: each requirement of the policy against the image's manifest and signatures (semantics 6.6). Whatever
// goes wrong on the way is a rejection.

import { readFile } from "node:fs/promises";
import { CopyError } from "../errors.ts";
import { algorithmOf, type Digest } from "../image/digest.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { parseSignature, type StoredSignature } from "./blob.ts";
import { wordsOf } from "./fields.ts";
import { matchesIdentity, type IdentityRule } from "./identity.ts";
import { parsePayload, type Payload } from "./payload.ts";
import { requirementsFor, type PolicyDocument } from "./policy.ts";
import type { Material, Requirement, SignedBy, SigstoreSigned } from "./requirements.ts";
import type { PolicySubject } from "./scopes.ts";
import { SIGSTORE_SIGNATURE, verifySigstore } from "./sigstore.ts";

/** An image of which nothing is known yet. */
export interface UncheckedImage {
  readonly manifest: RawManifest;
  /** As storage keeps them (blob.ts); read when a requirement asks for them. */
  readonly signatures: () => Promise<readonly { readonly bytes: Buffer }[]>;
}

/** Fits the engine's Policy. */
export interface SubjectPolicy {
  check(image: UncheckedImage, signal: AbortSignal): Promise<void>;
}

/** A policy that holds if each of the documents does, for images of one source. */
export const policyFor = (
  documents: readonly PolicyDocument[],
  subject: PolicySubject,
): SubjectPolicy => ({
  check: async (image, signal) => {
    for (const document of documents) await checkDocument(document, subject, image, signal);
  },
});

/** Throws `policy_rejected`, the signal's reason, and what reading the signatures throws. */
async function checkDocument(
  document: PolicyDocument,
  subject: PolicySubject,
  image: UncheckedImage,
  signal: AbortSignal,
): Promise<void> {
  for (const requirement of orReject(() => requirementsFor(document, subject)))
    await checkRequirement(requirement, { subject, image, signal });
}

interface Given {
  readonly subject: PolicySubject;
  readonly image: UncheckedImage;
  readonly signal: AbortSignal;
}

async function checkRequirement(requirement: Requirement, given: Given): Promise<void> {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return;
    case "reject":
      throw rejected(`Running image ${given.subject.reference} is rejected by policy.`);
    case "signedBaseLayer":
      // The library's words: it refuses such a policy as well, whatever the image.
      throw rejected(
        "signedBaseLayer not implemented yet! Ask for `signedBy` or `sigstoreSigned` instead",
      );
    case "signedBy":
      return checkSignedBy(requirement, given);
    case "sigstoreSigned":
      return checkSigstoreSigned(requirement, given);
  }
}

async function checkSignedBy(requirement: SignedBy, given: Given): Promise<void> {
  const { keyType, keys } = requirement;
  // Few policies need it, and it takes as much memory as a transfer.
  const { readKeyring, verifyMessage } = await import("./openpgp.ts");
  const simple = (await signaturesOf(given)).filter((signature) => signature.kind === "simple");
  await checkEach(simple, NO_SIGNATURE, given, requirement, async (signature) => {
    if (keyType !== "GPGKeys") throw new Error(`Unimplemented "keyType" value "${keyType}"`);
    const keyring = await readKeyring(await readMaterial(keys));
    if (keyring.length === 0) throw new Error("No public keys imported");
    const { bytes } = signature;
    const message = await verifyMessage(bytes, keyring, new Date()).catch((error: unknown) => {
      throw new Error(`Invalid GPG signature: ${wordsOf(error)}`, { cause: error });
    });
    return parsePayload(message, "simple");
  });
}

async function checkSigstoreSigned(requirement: SigstoreSigned, given: Given): Promise<void> {
  const all = await signaturesOf(given);
  const sigstore = all.filter((signature) => signature.kind === "sigstore");
  const signatures = sigstore.filter(({ mediaType }) => mediaType === SIGSTORE_SIGNATURE);
  const [others, attachments] = [all.length - sigstore.length, sigstore.length - signatures.length];
  const none =
    all.length === 0
      ? NO_SIGNATURE
      : `${NO_SIGNATURE} (${others} non-sigstore signatures, ${attachments} sigstore non-signature attachments)`;
  await checkEach(signatures, none, given, requirement, async (signature) => {
    await verifySigstore(signature, requirement.trust, readMaterial, new Date());
    return parsePayload(signature.payload, "sigstore");
  });
}

const NO_SIGNATURE = "A signature was required, but no signature exists";

/** One accepted signature is enough. `verified`: what a signature says, once it is known to be by somebody trusted. */
async function checkEach<T>(
  signatures: readonly T[],
  none: string,
  given: Given,
  { signedIdentity }: { readonly signedIdentity: IdentityRule },
  verified: (signature: T) => Promise<Payload>,
): Promise<void> {
  const reasons: string[] = [];
  let cause: unknown;
  for (const signature of signatures) {
    given.signal.throwIfAborted();
    try {
      return checkPayload(await verified(signature), signedIdentity, given);
    } catch (error) {
      cause = error;
      reasons.push(wordsOf(error));
    }
  }
  if (reasons.length === 0) throw rejected(none);
  const [first = ""] = reasons;
  throw rejected(
    reasons.length === 1
      ? first
      : `None of the signatures were accepted, reasons: ${reasons.slice(0, REASONS).join("; ")}`,
    cause,
  );
}

/** How many reasons are told: there may be as many as signatures. */
const REASONS = 8;

/** Throws an Error unless the image is the one that was signed. */
function checkPayload(
  { digest, reference }: Payload,
  rule: IdentityRule,
  { image, subject }: Given,
): void {
  if (digestAs(image.manifest, digest) !== digest)
    throw new Error(`Signature for digest ${digest} does not match`);
  if (!matchesIdentity(rule, subject.name, reference))
    throw new Error(`Signature for identity "${reference.slice(0, 300)}" is not accepted`);
}

const digestAs = (manifest: RawManifest, digest: Digest): Digest =>
  manifestDigest(manifest, algorithmOf(digest));

async function signaturesOf({ image }: Given): Promise<readonly StoredSignature[]> {
  const blobs = await image.signatures();
  return orReject(() => blobs.map(({ bytes }) => parseSignature(bytes)));
}

/** Read anew for each image, so that a key that is taken away is gone. */
async function readMaterial(material: Material): Promise<readonly Buffer[]> {
  if ("data" in material) return material.data;
  return Promise.all(
    material.paths.map((path) =>
      readFile(path).catch((error: unknown) => {
        // Where the operator keeps the keys is nobody else's business; the log has the cause.
        throw new Error("a key of the service's policy cannot be read", { cause: error });
      }),
    ),
  );
}

function orReject<T>(task: () => T): T {
  try {
    return task();
  } catch (error) {
    throw rejected(wordsOf(error), error);
  }
}

const rejected = (reason: string, cause?: unknown): CopyError =>
  new CopyError(
    "policy_rejected",
    `the source image is rejected: ${reason}`,
    { side: "source", phase: "policy" },
    cause,
  );
