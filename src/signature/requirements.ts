// One requirement of a policy (semantics 6.6): what it says, before any key is read.

import {
  base64At,
  below,
  DocumentFault,
  fieldsAt,
  objectAt,
  stringAt,
  type Fields,
} from "./fields.ts";
import { DEFAULT_IDENTITY, parseIdentityRule, type IdentityRule } from "./identity.ts";

export type Requirement =
  | { readonly type: "insecureAcceptAnything" | "reject" | "signedBaseLayer" }
  | SignedBy
  | SigstoreSigned;

export interface SignedBy {
  readonly type: "signedBy";
  readonly keyType: (typeof KEY_TYPES)[number];
  readonly keys: Material;
  readonly signedIdentity: IdentityRule;
}

export interface SigstoreSigned {
  readonly type: "sigstoreSigned";
  readonly trust: Trust;
  readonly signedIdentity: IdentityRule;
}

/** Whose sigstore signatures are accepted. */
export type Trust =
  | { readonly by: "keys"; readonly keys: Material; readonly rekor?: Material }
  | {
      readonly by: "fulcio";
      readonly authorities: Material;
      readonly issuer: string;
      readonly email: string;
      readonly rekor: Material;
    }
  | {
      readonly by: "pki";
      readonly roots: Material;
      readonly intermediates?: Material;
      readonly email?: string;
      readonly hostname?: string;
    };

/** Keys or certificates: bytes, or where they are read at each check. */
export type Material = { readonly paths: readonly string[] } | { readonly data: readonly Buffer[] };

/** Files of this machine are for its operator to name, not for who orders a copy (reliability T10). */
export type PathRule = "files" | "data-only";

/** Only the first means anything, also to containers/image. */
const KEY_TYPES = ["GPGKeys", "signedByGPGKeys", "X509Certificates", "signedByX509CAs"] as const;

/** Throws DocumentFault. */
export function parseRequirement(value: unknown, pointer: string, paths: PathRule): Requirement {
  const { type } = objectAt(value, pointer);
  switch (type) {
    case "insecureAcceptAnything":
    case "reject":
      fieldsAt(value, pointer, ["type"]);
      return { type };
    case "signedBaseLayer": {
      const fields = fieldsAt(value, pointer, ["type", "baseLayerIdentity"]);
      parseIdentityRule(fields["baseLayerIdentity"], below(pointer, "baseLayerIdentity"));
      return { type };
    }
    case "signedBy":
      return parseSignedBy(value, pointer, paths);
    case "sigstoreSigned":
      return parseSigstoreSigned(value, pointer, paths);
    default:
      throw new DocumentFault(
        below(pointer, "type"),
        "is none of `insecureAcceptAnything`, `reject`, `signedBy`, `signedBaseLayer` and `sigstoreSigned`",
      );
  }
}

const MANY = ["Path", "Paths", "Data", "Datas"] as const;
const ONE = ["Path", "Data"] as const;
const named = (prefix: string, forms: readonly string[]): readonly string[] =>
  forms.map((form) => prefix + form);

function parseSignedBy(value: unknown, pointer: string, paths: PathRule): SignedBy {
  const forms = ["Path", "Paths", "Data"];
  const fields = fieldsAt(
    value,
    pointer,
    ["type", "keyType"],
    [...named("key", forms), "signedIdentity"],
  );
  const keyType = KEY_TYPES.find((known) => known === fields["keyType"]);
  if (keyType === undefined)
    throw new DocumentFault(below(pointer, "keyType"), `is none of ${KEY_TYPES.join(", ")}`);
  const keys = requiredAt(fields, pointer, "key", forms, paths);
  return { type: "signedBy", keyType, keys, signedIdentity: identityAt(fields, pointer) };
}

function parseSigstoreSigned(value: unknown, pointer: string, paths: PathRule): SigstoreSigned {
  const fields = fieldsAt(
    value,
    pointer,
    ["type"],
    [...named("key", MANY), ...named("rekorPublicKey", MANY), "fulcio", "pki", "signedIdentity"],
  );
  const trust = trustAt(fields, pointer, paths);
  return { type: "sigstoreSigned", trust, signedIdentity: identityAt(fields, pointer) };
}

function trustAt(fields: Fields, pointer: string, paths: PathRule): Trust {
  const keys = materialAt(fields, pointer, "key", MANY, paths);
  const rekor = materialAt(fields, pointer, "rekorPublicKey", MANY, paths);
  const { fulcio, pki } = fields;
  if ([keys, fulcio, pki].filter((given) => given !== undefined).length !== 1)
    throw new DocumentFault(
      pointer,
      "must have exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki",
    );
  if (pki !== undefined) {
    if (rekor !== undefined)
      throw new DocumentFault(pointer, "must not have a Rekor key, for it has `pki`");
    return pkiAt(pki, below(pointer, "pki"), paths);
  }
  if (keys !== undefined) return { by: "keys", keys, ...(rekor !== undefined && { rekor }) };
  if (rekor === undefined)
    throw new DocumentFault(pointer, "must have a Rekor key, for it has `fulcio`");
  return { ...fulcioAt(fulcio, below(pointer, "fulcio"), paths), rekor };
}

function fulcioAt(value: unknown, pointer: string, paths: PathRule) {
  const fields = fieldsAt(value, pointer, ["oidcIssuer", "subjectEmail"], named("ca", ONE));
  return {
    by: "fulcio",
    authorities: requiredAt(fields, pointer, "ca", ONE, paths),
    issuer: wordsAt(fields, pointer, "oidcIssuer"),
    email: wordsAt(fields, pointer, "subjectEmail"),
  } as const;
}

function pkiAt(value: unknown, pointer: string, paths: PathRule): Trust {
  const subjects = ["subjectEmail", "subjectHostname"];
  const names = [...named("caRoots", ONE), ...named("caIntermediates", ONE), ...subjects];
  const fields = fieldsAt(value, pointer, [], names);
  const intermediates = materialAt(fields, pointer, "caIntermediates", ONE, paths);
  if (subjects.every((name) => fields[name] === undefined))
    throw new DocumentFault(pointer, "must have a subjectEmail or a subjectHostname");
  return {
    by: "pki",
    roots: requiredAt(fields, pointer, "caRoots", ONE, paths),
    ...(intermediates !== undefined && { intermediates }),
    ...("subjectEmail" in fields && { email: wordsAt(fields, pointer, "subjectEmail") }),
    ...("subjectHostname" in fields && { hostname: wordsAt(fields, pointer, "subjectHostname") }),
  };
}

function wordsAt(fields: Fields, pointer: string, key: string): string {
  const words = stringAt(fields[key], below(pointer, key));
  if (words === "") throw new DocumentFault(below(pointer, key), "is empty");
  return words;
}

const identityAt = (fields: Fields, pointer: string): IdentityRule =>
  "signedIdentity" in fields
    ? parseIdentityRule(fields["signedIdentity"], below(pointer, "signedIdentity"))
    : DEFAULT_IDENTITY;

function requiredAt(
  fields: Fields,
  pointer: string,
  prefix: string,
  forms: readonly string[],
  paths: PathRule,
): Material {
  const material = materialAt(fields, pointer, prefix, forms, paths);
  if (material !== undefined) return material;
  throw new DocumentFault(pointer, `must have exactly one of ${named(prefix, forms).join(", ")}`);
}

/** `<prefix>Path`, `Paths`, `Data` or `Datas`; undefined: none of them is there. */
function materialAt(
  fields: Fields,
  pointer: string,
  prefix: string,
  forms: readonly string[],
  paths: PathRule,
): Material | undefined {
  const given = named(prefix, forms).filter((key) => key in fields);
  const [key] = given;
  if (key === undefined) return undefined;
  if (given.length > 1)
    throw new DocumentFault(pointer, `must have only one of ${given.join(", ")}`);
  const at = below(pointer, key);
  const several = key.endsWith("s");
  const values: unknown = several ? fields[key] : [fields[key]];
  if (!Array.isArray(values) || values.length === 0)
    throw new DocumentFault(at, "is not a list with something in it");
  const placeOf = (i: number): string => (several ? below(at, i) : at);
  if (/Datas?$/.test(key)) return { data: values.map((value, i) => base64At(value, placeOf(i))) };
  if (paths === "data-only")
    throw new DocumentFault(
      at,
      `names a file of the service's machine, which only its operator may: give what is in it as \`${prefix}Data\``,
    );
  return { paths: values.map((value, i) => pathAt(value, placeOf(i))) };
}

function pathAt(value: unknown, pointer: string): string {
  const path = stringAt(value, pointer);
  if (path === "" || path.includes("\0")) throw new DocumentFault(pointer, "is not a path");
  return path;
}
