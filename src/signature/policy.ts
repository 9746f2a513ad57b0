// policy.json (semantics 6.6): which images may be copied. What is not exactly right is refused as a whole.

import { parseJson } from "../image/json.ts";
import { lowerHost } from "../image/reference/docker.ts";
import { below, DocumentFault, fieldsAt, objectAt } from "./fields.ts";
import { parseRequirement, type PathRule, type Requirement } from "./requirements.ts";
import { faultOfScope, scopesOf, type PolicySubject } from "./scopes.ts";

export interface PolicyDocument {
  readonly default: Requirements;
  /** By transport and scope. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, Requirements>>;
}

/** All of them must hold; there is at least one. */
export type Requirements = readonly Requirement[];

/** The text of a policy file. Throws an Error that says what is wrong, and where. */
export function parsePolicyFile(bytes: Uint8Array): PolicyDocument {
  try {
    return parsePolicy(parseJson(bytes, { keys: "exact" }), "files");
  } catch (error) {
    if (error instanceof DocumentFault) throw new Error(`\`${error.pointer}\` ${error.message}`);
    throw error;
  }
}

/** A policy whose JSON was read. `paths`: whether it may name files of this machine. Throws DocumentFault. */
export function parsePolicy(value: unknown, paths: PathRule): PolicyDocument {
  if (!Object.hasOwn(objectAt(value, ""), "default"))
    throw new DocumentFault("/default", "is missing");
  const fields = fieldsAt(value, "", ["default"], ["transports"]);
  const transports = objectAt(fields["transports"] ?? {}, "/transports");
  return {
    default: parseRequirements(fields["default"], "/default", paths),
    transports: new Map(
      Object.entries(transports).map(([transport, scopes]) => [
        transport,
        parseScopes(transport, scopes, paths),
      ]),
    ),
  };
}

function parseScopes(
  transport: string,
  value: unknown,
  paths: PathRule,
): ReadonlyMap<string, Requirements> {
  const pointer = below("/transports", transport);
  const parsed = new Map<string, Requirements>();
  for (const [scope, requirements] of Object.entries(objectAt(value, pointer))) {
    const at = below(pointer, scope);
    const key = keyOf(transport, scope);
    const isTwice = parsed.has(key) && "is there in another spelling of its host";
    const fault = isTwice || faultOfScope(transport, scope);
    if (fault) throw new DocumentFault(at, fault);
    parsed.set(key, parseRequirements(requirements, at, paths));
  }
  return parsed;
}

/** As the names of images have it. */
const keyOf = (transport: string, scope: string): string =>
  transport === "docker" || transport === "docker-daemon" ? lowerHost(scope) : scope;

function parseRequirements(value: unknown, pointer: string, paths: PathRule): Requirements {
  if (!Array.isArray(value)) throw new DocumentFault(pointer, "is not a list of requirements");
  if (value.length === 0)
    throw new DocumentFault(pointer, "is empty: a list of requirements must not be");
  return value.map((requirement, i) => parseRequirement(requirement, below(pointer, i), paths));
}

/** What an image must fulfil: the list of the most exact scope that there is. Throws what `scopesOf` throws. */
export function requirementsFor(policy: PolicyDocument, subject: PolicySubject): Requirements {
  const scopes = policy.transports.get(subject.transport);
  if (scopes === undefined) return policy.default;
  const scope = scopesOf(subject).find((key) => scopes.has(key));
  return (scope === undefined ? undefined : scopes.get(scope)) ?? policy.default;
}
