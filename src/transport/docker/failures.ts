// What the network's failures mean in the contract's words.

import { CopyError, type Side } from "../../errors.ts";
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
/** The request may be sent again at once: nothing was decided about it. */
const AGAIN: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENETDOWN",
  "UND_ERR_SOCKET",
  // Bytes were damaged on the line; we have noticed it, or the other side has, and says so.
  "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
  "ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC",
]);
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...AGAIN,
  "ENOTFOUND",
  "EAI_FAIL",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_INFO",
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

const isTls = (code: string): boolean =>
  !AGAIN.has(code) && TLS.some((prefix) => code.startsWith(prefix));

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
