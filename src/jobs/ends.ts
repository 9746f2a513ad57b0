// From an order to the two ends of a copy: what a worker's run and a plan have in common.

import type { BlobInfoCache } from "../copy/blob-info-cache.ts";
import type { CopyEnds } from "../copy/interfaces.ts";
import type { CompressionWish } from "../copy/options.ts";
import type { Side } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import { parseReference } from "../image/reference.ts";
import { accessTo, type AccessContext, type AccessDeps } from "../transport/access.ts";
import { openDestination, openSource } from "../transport/open.ts";
import type { JobSecrets, JobSpec } from "./record.ts";

export interface EndsDeps extends AccessDeps {
  /** What is known of blobs, by tenant. */
  readonly cacheOf: (tenant: string) => BlobInfoCache;
}

export interface Order {
  readonly tenant: string;
  readonly spec: Pick<
    JobSpec,
    "source" | "destination" | "options" | "sourceContext" | "destinationContext"
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
      },
      signal,
    ),
  );
  const owned = opened.move();
  return {
    source,
    destination,
    platform: spec.sourceContext,
    host: deps.host,
    compression: compressionOf(spec.destinationContext),
    cache: deps.cacheOf(tenant),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const compressionOf = ({
  compressionFormat: format,
  compressionLevel: level,
}: JobSpec["destinationContext"]): CompressionWish => ({
  ...(format !== undefined && { format }),
  ...(level !== undefined && { level }),
});
