// From an order to the two ends of a copy: what a worker's run and a plan have in common.

import { realpath } from "node:fs/promises";
import type { BlobInfoCache } from "../copy/blob-info-cache.ts";
import type { CopyEnds, Policy } from "../copy/interfaces.ts";
import type { CompressionWish } from "../copy/options.ts";
import type { Side } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import { locate } from "../image/path.ts";
import { formatReference, parseReference, type ImageReference } from "../image/reference.ts";
import { policyFor } from "../signature/evaluate.ts";
import { parsePolicy, type PolicyDocument } from "../signature/policy.ts";
import type { PolicySubject } from "../signature/scopes.ts";
import { accessTo, type AccessContext, type AccessDeps } from "../transport/access.ts";
import type { UploadSessions } from "../transport/docker/upload/upload-sessions.ts";
import { openDestination, openSource } from "../transport/open.ts";
import type { JobSecrets, JobSpec } from "./record.ts";

export interface EndsDeps extends AccessDeps {
  /** What is known of blobs, by tenant. */
  readonly cacheOf: (tenant: string) => BlobInfoCache;
  /** Uploads that were left behind, by tenant; absent: none is gone on with. */
  readonly uploadsOf?: (tenant: string) => UploadSessions;
  /** What every image must fulfil; undefined: nothing. */
  readonly policy: PolicyDocument | undefined;
}

export interface Order {
  readonly tenant: string;
  readonly spec: Pick<
    JobSpec,
    "source" | "destination" | "options" | "policy" | "sourceContext" | "destinationContext"
  >;
  readonly secrets: JobSecrets;
  /** What an earlier attempt found the source to name. */
  readonly pinned?: Digest;
}

/** Opens both ends, writing nothing. Whoever gets them closes them. Throws what the transports throw. */
export async function openEnds(
  { tenant, spec, secrets, pinned }: Order,
  deps: EndsDeps,
  signal: AbortSignal,
): Promise<CopyEnds & AsyncDisposable> {
  const access = (side: Side): AccessContext => {
    const credentials = secrets[side];
    const wish = { ...spec[`${side}Context`], ...(credentials !== undefined && { credentials }) };
    return accessTo(side, wish, deps);
  };
  await using opened = new AsyncDisposableStack();
  const source = opened.use(
    await openSource(
      parseReference(spec.source),
      { ...access("source"), ...(pinned !== undefined && { pinned }) },
      signal,
    ),
  );
  const { additionalTags, destinationTimestamp } = spec.options;
  const destination = opened.use(
    await openDestination(
      parseReference(spec.destination),
      {
        ...access("destination"),
        additionalTags,
        ...(destinationTimestamp !== undefined && { destinationTimestamp }),
        resumed: pinned !== undefined,
        ...(deps.uploadsOf !== undefined && { uploads: deps.uploadsOf(tenant) }),
      },
      signal,
    ),
  );
  const policy = await policyOf(spec, deps);
  const owned = opened.move();
  return {
    source,
    destination,
    platform: spec.sourceContext,
    host: deps.host,
    compression: compressionOf(spec.destinationContext),
    cache: deps.cacheOf(tenant),
    ...(policy !== undefined && { policy }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The service's policy and the order's: both must hold. Undefined: there is none. */
async function policyOf(
  { source, policy }: Order["spec"],
  deps: EndsDeps,
): Promise<Policy | undefined> {
  const documents = [
    ...(deps.policy === undefined ? [] : [deps.policy]),
    ...(policy === undefined ? [] : [parsePolicy(policy, "data-only")]),
  ];
  if (documents.length === 0) return undefined;
  return policyFor(documents, await subjectOf(parseReference(source), deps.dataDir));
}

/** What policies know the source by: the reference as it was given, and the place that its path really is. */
async function subjectOf(reference: ImageReference, dataDir: string): Promise<PolicySubject> {
  const { transport } = reference;
  const about = { transport, reference: formatReference(reference) };
  switch (transport) {
    case "docker":
      return { ...about, name: reference };
    case "docker-archive":
    case "docker-daemon":
      return reference.name === undefined ? about : { ...about, name: reference.name };
    case "dir":
    case "oci":
    case "oci-archive":
      return { ...about, path: await realpath(locate(dataDir, reference.path, "source")) };
    case "tarball":
      return about;
  }
}

const compressionOf = ({
  compressionFormat: format,
  compressionLevel: level,
}: JobSpec["destinationContext"]): CompressionWish => ({
  ...(format !== undefined && { format }),
  ...(level !== undefined && { level }),
});
