// What a registry's refusals and the network's failures mean in the contract's words. The status decides; the body is only quoted.

import type { Code } from "../../codes.ts";
import { CopyError, type ErrorContext, type Side } from "../../errors.ts";
import { isObject, parseJsonObject } from "../../image/json.ts";
import type { Reply } from "./answer.ts";
import { limitsOf } from "./pace/limits.ts";
import { StallError } from "./stall-watch.ts";

/** What was being done, for whom. */
export interface Blame {
  readonly side: Side;
  readonly registry: string;
  readonly phase: "manifest" | "blob" | "upload" | "mount" | "token" | "connect" | "tags";
  readonly digest?: string;
}

/** Bytes of an error's body that are looked at. */
export const ERROR_LIMIT = 64 * 1024;
/** Characters of it that are quoted. */
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

/** The request may be sent again at once: nothing was decided about it. */
const AGAIN: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
]);
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...AGAIN,
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_INFO",
  "ECONNABORTED",
  "HTTP_INVALID",
]);
const STALLED: ReadonlySet<string> = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const TLS: readonly string[] = [
  "ERR_TLS_",
  "ERR_SSL_",
  "EPROTO",
  "CERT_",
  "UNABLE_TO_",
  "SELF_SIGNED_",
  "DEPTH_ZERO_",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
];

/** The system's or undici's word for what went wrong; "" where there is none. */
export function codeIn(error: unknown): string {
  if (!(error instanceof Error)) return "";
  // What undici says of an answer that is not HTTP has no code of its own.
  if (error.name === "HTTPParserError") return "HTTP_INVALID";
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

const isTls = (code: string): boolean => TLS.some((prefix) => code.startsWith(prefix));

export const mayBeSentAgain = (error: unknown): boolean => AGAIN.has(codeIn(error));

/** TLS is not spoken there, as far as one can tell: nobody listens, or somebody answers with something else. */
export function speaksNoTls(error: unknown): boolean {
  const code = codeIn(error);
  if (
    code === "ECONNREFUSED" ||
    code === "ECONNRESET" ||
    code === "UND_ERR_SOCKET" ||
    code === "EPROTO"
  )
    return true;
  return code.startsWith("ERR_SSL_");
}

/** A failure of the network in the contract's words; anything else (an abort's reason, a bug, the content's error) as it is. */
export function networkFailure(error: unknown, blame: Blame): unknown {
  const code = codeIn(error);
  if (error instanceof CopyError) return error.code === "host_denied" ? error.at(blame) : error;
  if (code === "") return error;
  if (isTls(code))
    return new CopyError("tls_failed", `TLS with ${blame.registry} failed (${code})`, blame, error);
  if (error instanceof StallError)
    return new CopyError("transfer_stalled", standstill(error, blame), blame, error);
  if (STALLED.has(code))
    return new CopyError(
      "transfer_stalled",
      `nothing came from ${blame.registry} any more`,
      blame,
      error,
    );
  if (UNREACHABLE.has(code))
    return new CopyError(
      "registry_unavailable",
      `the connection to ${blame.registry} failed (${code})`,
      blame,
      error,
    );
  return error;
}

const standstill = ({ way }: StallError, { registry }: Blame): string =>
  way === "sending" ? `${registry} takes no more bytes` : `too little comes from ${registry}`;
