// A request body → what is ordered: the checks that a schema cannot express, and the defaults. No I/O.

import type { Code } from "../codes.ts";
import type { CopyOptions } from "../copy/options.ts";
import { CopyError, type Side } from "../errors.ts";
import { parseDigest } from "../image/digest.ts";
import { isObject } from "../image/json.ts";
import { locate } from "../image/path.ts";
import { parsePlatform } from "../image/platform.ts";
import { parseReference, type ImageReference } from "../image/reference.ts";
import type { JobSecrets, JobSpec, SideContext } from "../jobs/record.ts";
import { checkSide, secretsOf } from "./contexts.ts";
import type { Fault } from "./faults.ts";
import { DEFAULTS } from "./option-schemas.ts";
import {
  REFERENCE_LIMIT,
  type DestinationContext,
  type JobRequest,
  type RequestContext,
} from "./schemas.ts";

export interface JobOrder {
  readonly spec: JobSpec;
  /** Kept apart from the spec: they are sealed. */
  readonly secrets: JobSecrets;
}

/**
 * The order that a body means. `schemaFaults`: what the schema found wrong with it; `dataDir`: where paths must stay. Throws all faults
 * at once: `path_denied` or `reference_invalid` if there is nothing wrong but that, else `invalid_request`.
 */
export function parseOrder(
  body: unknown,
  schemaFaults: readonly Fault[],
  dataDir: string,
): JobOrder {
  const source = referenceIn(body, "source", dataDir);
  const destination = referenceIn(body, "destination", dataDir);
  const wrong = [...source.faults, ...destination.faults];
  // Other rules are about several fields, and mean nothing while one of them is not what it should be.
  if (schemaFaults.length > 0) throw invalid("invalid_request", [...schemaFaults, ...wrong]);
  const request = body as JobRequest;
  const faults: Fault[] = [];
  const order = {
    spec: specOf(request, faults),
    secrets: secretsOf(request, faults),
  };
  checkSelection(request, faults);
  checkSide("source", request.sourceContext, source.reference, faults);
  checkSide("destination", request.destinationContext, destination.reference, faults);
  if (faults.length > 0) throw invalid("invalid_request", [...wrong, ...faults]);
  const code = [source, destination].some((found) => found.code === "reference_invalid")
    ? "reference_invalid"
    : "path_denied";
  if (wrong.length > 0) throw invalid(code, wrong);
  return order;
}

function invalid(
  code: "path_denied" | "reference_invalid" | "invalid_request",
  faults: readonly Fault[],
): CopyError {
  const [first] = faults;
  const detail =
    faults.length === 1 && first !== undefined
      ? `${first.pointer === "" ? "the body" : first.pointer}: ${first.detail}`
      : `${faults.length} fields are not valid`;
  return new CopyError(code, detail, { errors: faults });
}

interface FoundReference {
  /** Undefined where there is none, or where it is not valid. */
  readonly reference?: ImageReference;
  /** Of what is wrong with it. */
  readonly code?: Code;
  readonly faults: readonly Fault[];
}

/** Looked for in any body: that it is missing or no text is for the schema to say. */
function referenceIn(body: unknown, side: Side, dataDir: string): FoundReference {
  const text = isObject(body) ? body[side] : undefined;
  if (typeof text !== "string" || text === "" || text.length > REFERENCE_LIMIT)
    return { faults: [] };
  try {
    const reference = parseReference(text);
    if (reference.transport !== "docker") locate(dataDir, reference.path, side);
    if (side === "destination" && reference.transport === "oci" && reference.entry !== undefined) {
      const why = `\`@${reference.entry}\` stands for an entry that is there, and can only be read: give the destination a name`;
      throw new CopyError("reference_invalid", `\`${text}\`: ${why}`);
    }
    return { reference, faults: [] };
  } catch (error) {
    if (!(error instanceof CopyError)) throw error;
    return { code: error.code, faults: [{ pointer: `/${side}`, detail: error.message }] };
  }
}

function specOf(request: JobRequest, faults: Fault[]): JobSpec {
  const { os, architecture, variant } = request.sourceContext ?? {};
  return {
    source: request.source,
    destination: request.destination,
    options: optionsOf(request.options ?? {}, faults),
    sourceContext: {
      ...contextOf(request.sourceContext),
      ...(os !== undefined && { os }),
      ...(architecture !== undefined && { architecture }),
      ...(variant !== undefined && { variant }),
    },
    destinationContext: destinationContextOf(request.destinationContext),
    priority: request.priority ?? DEFAULTS.priority,
    attempts: request.attempts ?? DEFAULTS.attempts,
    timeoutSeconds: request.timeoutSeconds ?? DEFAULTS.timeoutSeconds,
    labels: (request.labels ?? {}) as Readonly<Record<string, string>>,
  };
}

const contextOf = (context: Omit<RequestContext, "auth"> = {}): SideContext => ({
  tlsVerify: context.tlsVerify ?? DEFAULTS.tlsVerify,
  ...(context.caCertificates !== undefined && { caCertificates: context.caCertificates }),
  ...(context.sharedBlobDir !== undefined && { sharedBlobDir: context.sharedBlobDir }),
});

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

/** Fields that mean something with one selection only are refused with another: the client expects what would not happen. */
function checkSelection({ options = {}, sourceContext = {} }: JobRequest, faults: Fault[]): void {
  const selection = options.imageListSelection ?? DEFAULTS.imageListSelection;
  for (const field of ["instances", "platforms"] as const) {
    if (options[field] !== undefined && selection !== "specific")
      faults.push({
        pointer: `/options/${field}`,
        detail: 'has a meaning only with `imageListSelection: "specific"`',
      });
  }
  if (
    selection === "specific" &&
    options.instances === undefined &&
    options.platforms === undefined
  ) {
    faults.push({
      pointer: "/options/instances",
      detail:
        'is missing: `imageListSelection: "specific"` needs `instances` or `platforms`; an empty list copies the list alone',
    });
  }
  for (const field of ["os", "architecture", "variant"] as const) {
    if (sourceContext[field] !== undefined && selection !== "system")
      faults.push({
        pointer: `/sourceContext/${field}`,
        detail: 'has a meaning only with `imageListSelection: "system"`',
      });
  }
}
