// Where an image is really read from, and as whom: the operator's registries.conf over what the client asked for (semantics 7.2.9, 8.4).

import { CopyError } from "../../errors.ts";
import { placeOf, pullSourcesOf, type PullSource } from "../../host/registries-conf.ts";
import { formatDockerName, type DockerName } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";

/** The places to read an image from, in order; at least one. Throws `reference_invalid` where a rewritten name is none. */
export function pullSourcesFor(
  { registries, side }: AccessContext,
  reference: DockerName,
): readonly PullSource[] {
  try {
    return pullSourcesOf(registries.conf, reference);
  } catch (error) {
    throw error instanceof CopyError ? error.at({ side }) : error;
  }
}

/** How a place is contacted that is named as it is: a destination, a list of tags. Throws `host_denied` where that is forbidden. */
export const accessByName = (access: AccessContext, name: DockerName): AccessContext =>
  accessAt(access, { reference: name, ...placeOf(access.registries.conf, name) }, name);

/**
 * How a place is contacted for an image that was `asked` for by another name, perhaps. What the client said of TLS is stronger than what
 * registries.conf says; its credentials are for the registry that it named, and go to no other. Throws `host_denied`, and `tls_failed` where
 * the operator's certificates for the place cannot be used.
 */
export function accessAt(
  access: AccessContext,
  { reference: { registry }, insecure, blockedBy }: PullSource,
  asked: DockerName,
): AccessContext {
  const { side, credentials, tlsVerify = !insecure, ...others } = access;
  if (blockedBy !== undefined)
    throw new CopyError(
      "host_denied",
      `\`${registry}\` must not be contacted: the operator's registries.conf blocks \`${blockedBy}\``,
      { side, registry, phase: "connect" },
    );
  const mayKnow = credentials !== undefined && registry === asked.registry;
  const hostCertificates = access.registries.certificatesOf(registry);
  return { ...others, side, tlsVerify, hostCertificates, ...(mayKnow && { credentials }) };
}

export interface FailedAttempt {
  readonly reference: DockerName;
  readonly error: CopyError;
}

/** What `open` makes of the first place for which it does not fail. Throws `failureOf` all, and at once what is no failure of a place. */
export async function firstThatOpens<T>(
  places: readonly PullSource[],
  open: (place: PullSource) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const attempts: FailedAttempt[] = [];
  for (const place of places) {
    try {
      return await open(place);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CopyError)) throw error;
      attempts.push({ reference: place.reference, error });
    }
  }
  throw failureOf(attempts);
}

/**
 * The error of all places together, the registry's own being the last. Its word counts: what it does not have no mirror can have. But
 * where it could not be asked, or would not answer us, a mirror that fails for the moment makes the job worth another attempt.
 */
export function failureOf(attempts: readonly FailedAttempt[]): CopyError {
  const primary = attempts.at(-1);
  if (primary === undefined) throw new Error("nothing was tried");
  const mirrors = attempts.slice(0, -1);
  if (mirrors.length === 0) return primary.error;
  const told = mirrors.map((attempt) => `[${textOf(attempt)}]`).join("\n");
  const isFinal = primary.error.retryable || primary.error.code === "source_not_found";
  const passing = isFinal ? undefined : mirrors.find(({ error }) => error.retryable);
  const { code, context } = (passing ?? primary).error;
  return new CopyError(
    code,
    `(Mirrors also failed: ${told}): ${textOf(primary)}`,
    context,
    primary.error,
  );
}

const textOf = ({ reference, error }: FailedAttempt): string =>
  `${formatDockerName(reference)}: ${error.message}`;
