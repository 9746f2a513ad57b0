// A request body → what is ordered: the checks that a schema cannot express, and the defaults. No I/O.

import type { CopyOptions } from "../copy/options.ts";
import { CopyError } from "../errors.ts";
import { parseDigest } from "../image/digest.ts";
import { parsePlatform } from "../image/platform.ts";
import { formatReference, whyReadOnly, type ImageReference } from "../image/reference.ts";
import type { JobSecrets, JobSpec } from "../jobs/record.ts";
import { DocumentFault } from "../signature/fields.ts";
import { parsePolicy } from "../signature/policy.ts";
import { checkContext, type Border, contextOf, platformOf, secretsOf } from "./contexts.ts";
import type { Fault } from "./faults.ts";
import { checkOptions } from "./option-checks.ts";
import { DEFAULTS } from "./option-schemas.ts";
import { referenceIn, sharedBlobDirIn, throwFaults } from "./references.ts";
import type { DestinationContext, JobRequest } from "./schemas.ts";

export interface JobOrder {
  readonly spec: JobSpec;
  /** Kept apart from the spec: they are sealed. */
  readonly secrets: JobSecrets;
}

/**
 * The order that a body means. `schemaFaults`: what the schema found wrong with it; `border`: what is not let in. Throws all faults
 * at once: `path_denied` or `reference_invalid` if there is nothing wrong but that, else `invalid_request`.
 */
export function parseOrder(
  body: unknown,
  schemaFaults: readonly Fault[],
  border: Border,
): JobOrder {
  const { dataDir } = border;
  const reads = { side: "source", dataDir } as const;
  const writes = { side: "destination", dataDir, check: checkWritable } as const;
  const source = referenceIn(body, "source", reads);
  const destination = referenceIn(body, "destination", writes);
  const references = [
    source,
    destination,
    sharedBlobDirIn(body, "sourceContext", reads),
    sharedBlobDirIn(body, "destinationContext", writes),
  ];
  // Other rules are about several fields, and mean nothing while one of them is not what it should be.
  if (schemaFaults.length > 0) throwFaults(references, schemaFaults);
  const request = body as JobRequest;
  const faults: Fault[] = [];
  const order = {
    spec: specOf(request, faults),
    secrets: secretsOf(request, faults),
  };
  checkOptions(request, destination.reference, faults);
  checkContext("/sourceContext", request.sourceContext, source.reference, border, faults);
  checkContext(
    "/destinationContext",
    request.destinationContext,
    destination.reference,
    border,
    faults,
  );
  throwFaults(references, faults);
  return order;
}

function checkWritable(reference: ImageReference): void {
  const why = whyReadOnly(reference);
  if (why !== undefined)
    throw new CopyError("reference_invalid", `\`${formatReference(reference)}\`: ${why}`);
}

function specOf(request: JobRequest, faults: Fault[]): JobSpec {
  return {
    source: request.source,
    destination: request.destination,
    options: optionsOf(request.options ?? {}, faults),
    ...policyOf(request.options ?? {}, faults),
    sourceContext: {
      ...contextOf(request.sourceContext),
      ...platformOf(request.sourceContext),
    },
    destinationContext: destinationContextOf(request.destinationContext),
    priority: request.priority ?? DEFAULTS.priority,
    attempts: request.attempts ?? DEFAULTS.attempts,
    timeoutSeconds: request.timeoutSeconds ?? DEFAULTS.timeoutSeconds,
    labels: (request.labels ?? {}) as Readonly<Record<string, string>>,
  };
}

const destinationContextOf = (context: DestinationContext = {}): JobSpec["destinationContext"] => ({
  ...contextOf(context),
  ...(context.compressionFormat !== undefined && { compressionFormat: context.compressionFormat }),
  ...(context.compressionLevel !== undefined && { compressionLevel: context.compressionLevel }),
  acceptUncompressedLayers: context.acceptUncompressedLayers ?? false,
  dirForceCompress: context.dirForceCompress ?? false,
  dirForceDecompress: context.dirForceDecompress ?? false,
});

function optionsOf(options: NonNullable<JobRequest["options"]>, faults: Fault[]): CopyOptions {
  return {
    imageListSelection: options.imageListSelection ?? DEFAULTS.imageListSelection,
    instances: parseEach(
      "/options/instances",
      options.instances,
      parseDigest,
      "is not a digest such as `sha256:<64 lower-case hexadecimal digits>`",
      faults,
    ),
    platforms: parseEach(
      "/options/platforms",
      options.platforms,
      parsePlatform,
      "is not a platform: write `os/architecture` or `os/architecture/variant`",
      faults,
    ),
    sparseManifestListAction: options.sparseManifestListAction ?? DEFAULTS.sparseManifestListAction,
    preferGzipInstances: options.preferGzipInstances ?? DEFAULTS.preferGzipInstances,
    removeListSignatures: options.removeListSignatures ?? DEFAULTS.removeListSignatures,
    ...(options.forceManifestMimeType !== undefined && {
      forceManifestMimeType: options.forceManifestMimeType,
    }),
    forceCompressionFormat: options.forceCompressionFormat ?? DEFAULTS.forceCompressionFormat,
    ensureCompressionVariantsExist: options.ensureCompressionVariantsExist ?? [],
    ...(options.destinationTimestamp !== undefined && {
      destinationTimestamp: options.destinationTimestamp,
    }),
    additionalTags: options.additionalTags ?? [],
    referrers: options.referrers ?? DEFAULTS.referrers,
    preserveDigests: options.preserveDigests ?? DEFAULTS.preserveDigests,
    removeSignatures: options.removeSignatures ?? DEFAULTS.removeSignatures,
    maxParallelDownloads: options.maxParallelDownloads ?? DEFAULTS.maxParallelDownloads,
    optimizeDestinationImageAlreadyExists:
      options.optimizeDestinationImageAlreadyExists ??
      DEFAULTS.optimizeDestinationImageAlreadyExists,
    downloadForeignLayers: options.downloadForeignLayers ?? DEFAULTS.downloadForeignLayers,
    ifTagExists: options.ifTagExists ?? DEFAULTS.ifTagExists,
    progressIntervalMs: options.progressIntervalMs ?? DEFAULTS.progressIntervalMs,
  };
}

/** It is kept as it was given, and read again by the worker. */
function policyOf(
  { policy }: NonNullable<JobRequest["options"]>,
  faults: Fault[],
): Pick<JobSpec, "policy"> {
  if (policy === undefined) return {};
  try {
    parsePolicy(policy, "data-only");
    return { policy: policy as Readonly<Record<string, unknown>> };
  } catch (error) {
    if (!(error instanceof DocumentFault)) throw error;
    faults.push({ pointer: `/options/policy${error.pointer}`, detail: error.message });
    return {};
  }
}

function parseEach<T>(
  pointer: string,
  texts: readonly string[] = [],
  parse: (text: string) => T | undefined,
  detail: string,
  faults: Fault[],
): T[] {
  return texts.flatMap((text, index) => {
    const value = parse(text);
    if (value !== undefined) return [value];
    faults.push({ pointer: `${pointer}/${index}`, detail });
    return [];
  });
}
