// References in a body, and how all that is wrong with a body is told at once.

import type { Code } from "../codes.ts";
import { CopyError, type Side } from "../errors.ts";
import { isObject } from "../image/json.ts";
import { locate } from "../image/path.ts";
import { parseReference, pathsOf, type ImageReference } from "../image/reference.ts";
import type { Fault } from "./faults.ts";
import { REFERENCE_LIMIT } from "./schemas.ts";

export interface FoundReference {
  /** Undefined where there is none, or where it is not valid. */
  readonly reference?: ImageReference;
  /** Of what is wrong with it. */
  readonly code?: Code;
  readonly faults: readonly Fault[];
}

/**
 * The reference in a field of any body: that it is missing or no text is for the schema to say. `check` throws `reference_invalid` for
 * what is a reference, but not one for this place.
 */
export function referenceIn(
  body: unknown,
  field: string,
  {
    side,
    dataDir,
    check,
  }: { side: Side; dataDir: string; check?: (found: ImageReference) => void },
): FoundReference {
  return read(body, field, `/${field}`, (text) => {
    const reference = parseReference(text);
    for (const path of pathsOf(reference)) locate(dataDir, path, side);
    check?.(reference);
    return { reference };
  });
}

/** A context's `sharedBlobDir`, in any body: what is wrong with it. */
export function sharedBlobDirIn(
  body: unknown,
  field: string,
  { side, dataDir }: { side: Side; dataDir: string },
): FoundReference {
  const context = isObject(body) ? body[field] : undefined;
  return read(context, "sharedBlobDir", `/${field}/sharedBlobDir`, (path) => {
    locate(dataDir, path, side);
    return {};
  });
}

function read(
  value: unknown,
  field: string,
  pointer: string,
  parse: (text: string) => { readonly reference?: ImageReference },
): FoundReference {
  const text = isObject(value) ? value[field] : undefined;
  if (typeof text !== "string" || text === "" || text.length > REFERENCE_LIMIT)
    return { faults: [] };
  try {
    return { ...parse(text), faults: [] };
  } catch (error) {
    if (!(error instanceof CopyError)) throw error;
    return { code: error.code, faults: [{ pointer, detail: error.message }] };
  }
}

/**
 * Throws if there is a fault: `invalid_request`, or `reference_invalid` or `path_denied` if nothing but references is wrong. Every
 * fault is in it.
 */
export function throwFaults(references: readonly FoundReference[], faults: readonly Fault[]): void {
  const wrong = references.flatMap((found) => found.faults);
  if (faults.length > 0) throw invalid("invalid_request", [...faults, ...wrong]);
  if (wrong.length === 0) return;
  const isInvalid = references.some(({ code }) => code === "reference_invalid");
  throw invalid(isInvalid ? "reference_invalid" : "path_denied", wrong);
}

function invalid(code: Code, faults: readonly Fault[]): CopyError {
  const [first] = faults;
  const detail =
    faults.length === 1 && first !== undefined
      ? `${first.pointer === "" ? "the body" : first.pointer}: ${first.detail}`
      : `${faults.length} fields are not valid`;
  return new CopyError(code, detail, { errors: faults });
}
