// A body of /v1/tags or /v1/inspect → what is asked for, or all that is wrong with it. No I/O.

import { CopyError } from "../errors.ts";
import type { PlatformChoice } from "../image/platform.ts";
import {
  formatReference,
  parseReference,
  type ImageReference,
  whyNoTags,
} from "../image/reference.ts";
import type { AccessWish } from "../transport/access.ts";
import { checkContext, type Border, contextOf, credentialsOf, platformOf } from "./contexts.ts";
import type { Fault } from "./faults.ts";
import type { InspectRequest, TagsRequest } from "./lookup-schemas.ts";
import { referenceIn, throwFaults, type FoundReference } from "./references.ts";

export interface Lookup {
  readonly reference: ImageReference;
  /** With the credentials, which are kept nowhere. */
  readonly wish: AccessWish;
}

export interface InspectLookup extends Lookup {
  readonly platform: PlatformChoice;
  readonly raw: boolean;
}

/** The image that is asked for. Throws as parseOrder. */
export function parseInspectRequest(
  body: unknown,
  schemaFaults: readonly Fault[],
  border: Border,
): InspectLookup {
  const { dataDir } = border;
  const found = referenceIn(body, "reference", { side: "source", dataDir });
  const request = checked<InspectRequest>(body, schemaFaults, found);
  const { context, raw = false } = request;
  return { ...lookupOf(request, found, border), platform: platformOf(context), raw };
}

/** The repository or layout whose tags are asked for. Throws as parseOrder. */
export function parseTagsRequest(
  body: unknown,
  schemaFaults: readonly Fault[],
  border: Border,
): Lookup {
  const { dataDir } = border;
  const check = (found: ImageReference) => checkUntagged(found, (body as TagsRequest).reference);
  const found = referenceIn(body, "reference", { side: "source", dataDir, check });
  return lookupOf(checked<TagsRequest>(body, schemaFaults, found), found, border);
}

/** The body, once the schema has nothing to say against it. */
function checked<T>(body: unknown, schemaFaults: readonly Fault[], found: FoundReference): T {
  if (schemaFaults.length > 0) throwFaults([found], schemaFaults);
  return body as T;
}

function lookupOf(
  { reference, context }: TagsRequest,
  found: FoundReference,
  border: Border,
): Lookup {
  const faults: Fault[] = [];
  const credentials = credentialsOf(context?.auth, "/context/auth", faults);
  checkContext("/context", context, found.reference, border, faults);
  throwFaults([found], faults);
  const wish = { ...contextOf(context), ...(credentials !== undefined && { credentials }) };
  return { reference: parseReference(reference), wish };
}

/** A parsed reference has the tag `latest` where none was written, so the text is looked at. */
function checkUntagged(reference: ImageReference, text: string): void {
  const isUntagged =
    reference.transport === "docker"
      ? !/[:@]/.test(text.slice(text.lastIndexOf("/")))
      : !("name" in reference) && !("entry" in reference);
  const why =
    whyNoTags(reference) ??
    (isUntagged
      ? undefined
      : "write the repository, or the path of the layout or archive, without a tag, name or digest");
  if (why !== undefined)
    throw new CopyError("reference_invalid", `\`${formatReference(reference)}\`: ${why}`);
}
