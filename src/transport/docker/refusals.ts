// What a registry's refusals mean in the contract's words. The status decides; the body is only quoted.

import type { Code } from "../../codes.ts";
import { CopyError } from "../../errors.ts";
import { isObject, parseJsonObject } from "../../image/json.ts";
import type { Reply } from "./answer.ts";
import { classOf, isAbsent, type Refused } from "./failure-class.ts";
import type { Blame } from "./failures.ts";
import { limitsOf } from "./pace/limits.ts";

/** Characters of an error's body that are quoted. */
const QUOTE_LIMIT = 200;

/**
 * The error for an answer that is not the one hoped for: who answered what to which request, in its own words, and, where another try
 * would be refused as well, what is to be done. `secrets` are struck out of what is quoted.
 */
export function refusalOf(reply: Reply, blame: Blame, secrets: readonly string[]): CopyError {
  const { method, status } = reply;
  const { registry, side, phase } = blame;
  const { code: upstreamCode, text } = quoteOf(reply, secrets);
  const { waitMs: retryAfterMs } = limitsOf(reply, Date.now());
  const refused = { method, status, side, phase, code: upstreamCode };
  const code = codeOf(refused, reply.body);
  const told = `${registry} answered ${status} to ${method} of the ${side}'s ${phase}`;
  const quote = text === "" ? "" : `: ${text}`;
  const remedy = code === "registry_refused" ? `; ${remedyFor(refused)}` : "";
  return new CopyError(code, `${told}${quote}${remedy}`, {
    ...blame,
    upstream: { status, ...(upstreamCode !== undefined && { code: upstreamCode }) },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function codeOf(refused: Refused, body: Buffer): Code {
  const { method, status, side, phase, code } = refused;
  if (status === 429) return "registry_rate_limited";
  if (status === 401 || status === 403) return `${side}_unauthorized`;
  if (side === "source" && phase !== "token" && isAbsent(status)) return "source_not_found";
  if (method === "PUT" && status >= 400 && status < 500) {
    if (refusesType(refused, body)) return "manifest_rejected";
    if (code === "DIGEST_INVALID") return "digest_mismatch";
    if (code === "SIZE_INVALID") return "size_mismatch";
  }
  return classOf(refused) === "permanent" ? "registry_refused" : "registry_unavailable";
}

/** What helps against a refusal that stays: each says something else than the code's own remedy can. */
function remedyFor({ status, phase, side, code }: Refused): string {
  if (code === "TAG_INVALID") return TAGS_STAY;
  switch (status) {
    case 404:
      return phase === "token"
        ? "the registry names a token service that has no such address"
        : "create the repository first, or correct its name";
    case 405:
    case 501:
      return side === "destination"
        ? "it takes no such request: it may be a cache, read-only, or no registry at that address"
        : "it serves no such request: see that there is a registry at that address";
    case 406:
    case 415:
      return "it has no media type in common with us for this";
    case 410:
      return "it has given that up for good";
    case 412:
      return TAGS_STAY;
    case 413:
      return "raise what the registry, or a proxy before it, takes in one request";
    default:
      return "it would answer the same again: what it says has to be put right first";
  }
}

const TAGS_STAY = "a rule of the registry forbids it, such as tags that must not change";

/**
 * The registry may take the image as another type (semantics 7.2.7): Amazon's says UNSUPPORTED, Artifactory TAG_INVALID, others 415. Amazon's
 * says TAG_INVALID, too, of a tag that "cannot be overwritten because the repository is immutable": no type helps against that.
 */
const refusesType = ({ phase, status, code }: Refused, body: Buffer): boolean =>
  phase === "manifest" &&
  (status === 415 ||
    code === "MANIFEST_INVALID" ||
    (code === "TAG_INVALID" && !/immutable|overwritten/i.test(body.toString("latin1"))) ||
    (code === "UNSUPPORTED" && body.includes("Invalid JSON syntax")));

/** The first of the spec's errors, else the beginning of what is there; one line, without secrets and query strings. */
function quoteOf(
  { body }: Reply,
  secrets: readonly string[],
): { code: string | undefined; text: string } {
  let code: string | undefined;
  let text = "";
  try {
    const document = parseJsonObject(body);
    const errors = document["errors"];
    const first: unknown = Array.isArray(errors) ? errors[0] : document;
    if (isObject(first)) {
      if (typeof first["code"] === "string") code = clean(first["code"], secrets);
      const message = first["message"] ?? first["details"] ?? first["error"];
      text = [code, message].filter((part) => typeof part === "string" && part !== "").join(": ");
    }
  } catch {
    text = body.toString("latin1");
  }
  return { code, text: clean(text, secrets) };
}

function clean(text: string, secrets: readonly string[]): string {
  let cleaned = text.slice(0, 4096);
  for (const secret of secrets) if (secret !== "") cleaned = cleaned.replaceAll(secret, "***");
  return cleaned
    .replaceAll(/\?[^\s"']+/g, "?…")
    .replaceAll(/\b(basic|bearer) \S+/gi, "$1 ***")
    .replaceAll(/[^\u0020-\u007e\u00a0-\uffff]+/g, " ")
    .trim()
    .slice(0, QUOTE_LIMIT);
}
