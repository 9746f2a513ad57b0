// A body of /v1/tags or /v1/inspect → what is asked for, or all that is wrong with it. No I/O.

import { CopyError } from "../errors.ts";
import { formatReference, parseReference, type ImageReference } from "../image/reference.ts";
import type { AccessWish } from "../transport/access.ts";
import { checkContext, credentialsOf } from "./contexts.ts";
import type { Fault } from "./faults.ts";
import type { TagsRequest } from "./lookup-schemas.ts";
import { DEFAULTS } from "./option-schemas.ts";
import { referenceIn, throwFaults } from "./references.ts";
import type { RequestContext } from "./schemas.ts";

export interface Lookup {
  readonly reference: ImageReference;
  /** With the credentials, which are kept nowhere. */
  readonly wish: AccessWish;
}

/** The repository or layout whose tags are asked for. Throws as parseOrder. */
export function parseTagsRequest(
  body: unknown,
  schemaFaults: readonly Fault[],
  dataDir: string,
): Lookup {
  const check = (found: ImageReference) => checkUntagged(found, (body as TagsRequest).reference);
  const found = referenceIn(body, "reference", { side: "source", dataDir, check });
  if (schemaFaults.length > 0) throwFaults([found], schemaFaults);
  const { reference, context } = body as TagsRequest;
  const faults: Fault[] = [];
  const wish = wishOf(context, faults);
  checkContext("/context", context, found.reference, faults);
  throwFaults([found], faults);
  return { reference: parseReference(reference), wish };
}

/** A parsed reference has the tag `latest` where none was written, so the text is looked at. */
function checkUntagged(reference: ImageReference, text: string): void {
  const isUntagged =
    reference.transport === "docker"
      ? !/[:@]/.test(text.slice(text.lastIndexOf("/")))
      : reference.transport === "oci" &&
        reference.name === undefined &&
        reference.entry === undefined;
  if (isUntagged) return;
  const why =
    reference.transport === "dir"
      ? "a `dir:` folder holds one image, which has no tags"
      : "write the repository, or the layout's path, without a tag, name or digest";
  throw new CopyError("reference_invalid", `\`${formatReference(reference)}\`: ${why}`);
}

function wishOf(context: RequestContext | undefined, faults: Fault[]): AccessWish {
  const credentials = credentialsOf(context?.auth, "/context/auth", faults);
  return {
    tlsVerify: context?.tlsVerify ?? DEFAULTS.tlsVerify,
    ...(context?.caCertificates !== undefined && { caCertificates: context.caCertificates }),
    ...(credentials !== undefined && { credentials }),
  };
}
