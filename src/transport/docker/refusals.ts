// What a registry's refusals mean in the contract's words. The status decides; the body is only quoted.

import type { Code } from "../../codes.ts";
import { CopyError, type ErrorContext } from "../../errors.ts";
import { isObject, parseJsonObject } from "../../image/json.ts";
import type { Reply } from "./answer.ts";
import type { Blame } from "./failures.ts";
import { limitsOf } from "./pace/limits.ts";

/** Characters of an error's body that are quoted. */
const QUOTE_LIMIT = 200;

/** The error for an answer that is not the one hoped for. `secrets` are struck out of what is quoted. */
export function refusalOf(reply: Reply, blame: Blame, secrets: readonly string[]): CopyError {
  const { status } = reply;
  const { code, text } = quoteOf(reply, secrets);
  const { waitMs: retryAfterMs } = limitsOf(reply, Date.now());
  const context: ErrorContext = {
    ...blame,
    upstream: { status, ...(code !== undefined && { code }) },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  const quote = text === "" ? "" : `: ${text}`;
  return new CopyError(
    codeOf(reply, code, blame),
    `${blame.registry} answered ${status} (${blame.phase})${quote}`,
    context,
  );
}

function codeOf(reply: Reply, code: string | undefined, { side, phase }: Blame): Code {
  const { status } = reply;
  if (status === 429) return "registry_rate_limited";
  if (status === 401 || status === 403) return `${side}_unauthorized`;
  if (side === "source")
    return status === 404 && phase !== "token" ? "source_not_found" : "registry_unavailable";
  if (status >= 400 && status < 500) {
    if (phase === "manifest" && refusesType(reply, code)) return "manifest_rejected";
    if (code === "DIGEST_INVALID") return "digest_mismatch";
    if (code === "SIZE_INVALID") return "size_mismatch";
  }
  return "registry_unavailable";
}

/** The registry may take the image as another type (semantics 7.2.7): Amazon's says UNSUPPORTED, Artifactory TAG_INVALID, others 415. */
const refusesType = ({ status, body }: Reply, code: string | undefined): boolean =>
  status === 415 ||
  code === "MANIFEST_INVALID" ||
  code === "TAG_INVALID" ||
  (code === "UNSUPPORTED" && body.includes("Invalid JSON syntax"));

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
