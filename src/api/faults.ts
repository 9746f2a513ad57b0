// Ajv's errors in plain sentences, each with the JSON pointer of its field.

import type { FastifySchemaValidationError } from "fastify/types/schema.js";

/** One thing that is wrong with a request. */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

/** One fault a field: where a field breaks several rules, the first says enough. */
export function faultsOf(errors: readonly FastifySchemaValidationError[]): readonly Fault[] {
  const faults = new Map<string, Fault>();
  for (const error of errors) {
    // Ajv says so besides what is wrong with the name.
    if (error.keyword === "propertyNames") continue;
    const pointer = pointerOf(error);
    if (!faults.has(pointer)) faults.set(pointer, { pointer, detail: detailOf(error) });
  }
  return [...faults.values()];
}

/** Unknown and missing fields are pointed at themselves, not their parents. */
function pointerOf(
  error: FastifySchemaValidationError & { readonly propertyName?: string },
): string {
  const name =
    error.propertyName ?? error.params["additionalProperty"] ?? error.params["missingProperty"];
  return typeof name === "string"
    ? `${error.instancePath}/${escapePointer(name)}`
    : error.instancePath;
}

/** RFC 6901. */
const escapePointer = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

const TYPES: Readonly<Record<string, string>> = {
  object: "an object",
  array: "a list",
  string: "a string",
  integer: "a whole number",
  boolean: "true or false",
};

function detailOf(
  error: FastifySchemaValidationError & { readonly propertyName?: string },
): string {
  const { keyword, params } = error;
  if (error.propertyName !== undefined)
    return "is not a valid name: 1 to 63 letters, digits, `.`, `_`, `/` and `-`, beginning with a letter or digit";
  switch (keyword) {
    case "additionalProperties":
      return "is not a field that is known here";
    case "required":
      return "is missing";
    case "type":
      return `must be ${TYPES[String(params["type"])] ?? String(params["type"])}`;
    case "enum":
      return `must be one of ${(params["allowedValues"] as readonly unknown[]).map((value) => JSON.stringify(value)).join(", ")}`;
    case "minimum":
      return `must be at least ${String(params["limit"])}`;
    case "maximum":
      return `must be at most ${String(params["limit"])}`;
    case "minLength":
      return "must not be empty";
    case "maxLength":
      return `must not be longer than ${String(params["limit"])} characters`;
    case "maxItems":
    case "maxProperties":
      return `must not have more than ${String(params["limit"])} entries`;
    case "uniqueItems":
      return "must not have an entry twice";
    default:
      return error.message ?? "is not valid";
  }
}
