// Options that contradict one another, or mean nothing where they are: the client expects what would not happen. What can be told
// before anything is read is told here (semantics 1.1, 1.5.1, 3.2); the rest is for the engine.

import { OCI_MANIFEST } from "../image/media-types.ts";
import { parseDockerName } from "../image/reference/docker.ts";
import type { ImageReference } from "../image/reference.ts";
import type { Fault } from "./faults.ts";
import { DEFAULTS, GZIP_LEVELS } from "./option-schemas.ts";
import type { JobRequest } from "./schemas.ts";

type Options = NonNullable<JobRequest["options"]>;
type Selection = NonNullable<Options["imageListSelection"]>;

export function checkOptions(
  request: JobRequest,
  destination: ImageReference | undefined,
  faults: Fault[],
): void {
  const options = request.options ?? {};
  checkSelection(options, request.sourceContext ?? {}, faults);
  checkCompression(options, request.destinationContext ?? {}, faults);
  checkDestination(options, destination, faults);
  checkTags(options, faults);
  checkTime(options, faults);
}

/** The selections that an option is for. */
const SELECTIONS: Readonly<Partial<Record<keyof Options, readonly Selection[]>>> = {
  instances: ["specific"],
  platforms: ["specific"],
  sparseManifestListAction: ["all", "specific"],
  removeListSignatures: ["all", "specific"],
  ensureCompressionVariantsExist: ["all"],
  preferGzipInstances: ["system"],
};

function checkSelection(
  options: Options,
  sourceContext: NonNullable<JobRequest["sourceContext"]>,
  faults: Fault[],
): void {
  const { imageListSelection: selection = DEFAULTS.imageListSelection } = options;
  const { instances, platforms } = options;
  const check = (pointer: string, allowed: readonly Selection[]): void => {
    if (allowed.includes(selection)) return;
    const words = allowed.map((word) => `\`imageListSelection: "${word}"\``).join(" or ");
    faults.push({ pointer, detail: `has a meaning only with ${words}` });
  };
  for (const [field, allowed] of Object.entries(SELECTIONS))
    if (asksFor(field, options[field as keyof Options])) check(`/options/${field}`, allowed);
  for (const field of ["os", "architecture", "variant"] as const)
    if (sourceContext[field] !== undefined) check(`/sourceContext/${field}`, ["system"]);
  if (selection !== "specific") return;
  if (instances === undefined && platforms === undefined)
    faults.push({
      pointer: "/options/instances",
      detail:
        'is missing: `imageListSelection: "specific"` needs `instances` or `platforms`; an empty list copies the list alone',
    });
  else if (
    options.sparseManifestListAction === "strip" &&
    [...(instances ?? []), ...(platforms ?? [])].length === 0
  )
    faults.push({
      pointer: "/options/sparseManifestListAction",
      detail: "would leave a list without images: name some in `instances` or `platforms`",
    });
}

/** What says the same as leaving it out is no contradiction; but an empty selection is one. */
const asksFor = (field: string, value: unknown): boolean =>
  value !== undefined &&
  value !== false &&
  value !== "keep" &&
  (field === "instances" || field === "platforms" || !Array.isArray(value) || value.length > 0);

function checkCompression(
  options: Options,
  { compressionFormat }: NonNullable<JobRequest["destinationContext"]>,
  faults: Fault[],
): void {
  const { forceManifestMimeType: forced, ensureCompressionVariantsExist: variants = [] } = options;
  if (options.forceCompressionFormat === true && compressionFormat === undefined)
    faults.push({
      pointer: "/options/forceCompressionFormat",
      detail: "needs `destinationContext.compressionFormat`: there is no format to hold layers to",
    });
  const requireOci = (pointer: string, format: string | undefined): void => {
    if (forced === undefined || forced === OCI_MANIFEST) return;
    if (format === undefined || format === "gzip") return;
    const detail = `\`${format}\` is known to OCI manifests only, and \`forceManifestMimeType\` asks for docker's: take gzip, or \`${OCI_MANIFEST}\``;
    faults.push({ pointer, detail });
  };
  requireOci("/destinationContext/compressionFormat", compressionFormat);
  for (const [index, { algorithm, level = 0 }] of variants.entries()) {
    const pointer = `/options/ensureCompressionVariantsExist/${index}`;
    requireOci(`${pointer}/algorithm`, algorithm);
    if (variants.findIndex((other) => other.algorithm === algorithm) < index)
      faults.push({
        pointer: `${pointer}/algorithm`,
        detail: `\`${algorithm}\` is asked for twice`,
      });
    if (algorithm === "gzip" && level > GZIP_LEVELS)
      faults.push({
        pointer: `${pointer}/level`,
        detail: `must be at most ${GZIP_LEVELS} for gzip`,
      });
  }
}

/** The transports that an option is for, by what the destination must be. */
const DESTINATIONS: Readonly<Partial<Record<keyof Options, readonly string[]>>> = {
  destinationTimestamp: ["oci-archive"],
  additionalTags: ["docker-archive"],
  referrers: ["docker", "oci", "oci-archive"],
};

function checkDestination(
  options: Options,
  destination: ImageReference | undefined,
  faults: Fault[],
): void {
  if (destination === undefined) return;
  for (const [field, transports] of Object.entries(DESTINATIONS)) {
    if (!asksFor(field, options[field as keyof Options])) continue;
    if (transports.includes(destination.transport)) continue;
    const words = transports.map((transport) => `\`${transport}:\``).join(" and ");
    faults.push({
      pointer: `/options/${field}`,
      detail: `has a meaning only for ${words} destinations: leave it out`,
    });
  }
}

function checkTags({ additionalTags = [] }: Options, faults: Fault[]): void {
  for (const [index, text] of additionalTags.entries()) {
    try {
      const { tag, digest } = parseDockerName(text, text);
      if (tag !== undefined && digest === undefined) continue;
    } catch {
      // It is no name at all.
    }
    faults.push({
      pointer: `/options/additionalTags/${index}`,
      detail: "is not a name with a tag, such as `registry.example.com/team/app:latest`",
    });
  }
}

/** The schema lets pass a blank for `T`, and leap seconds, which no clock of ours has. */
function checkTime({ destinationTimestamp: text }: Options, faults: Fault[]): void {
  if (text === undefined || (/^\d{4}-\d\d-\d\dT/i.test(text) && Date.parse(text) >= 0)) return;
  faults.push({
    pointer: "/options/destinationTimestamp",
    detail: "is not a time after 1970 such as `2026-01-01T00:00:00Z`",
  });
}
