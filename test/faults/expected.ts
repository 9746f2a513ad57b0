// What a copy promises under each fault, as a function: the matrix holds it to this.

import type { Code } from "../../src/codes.ts";
import type { DialFault } from "../support/dialling.ts";
import type { Fault } from "../support/fault-script.ts";
import type { Side } from "./bench.ts";
import type { Column } from "./columns.ts";

export interface Expected {
  readonly code: "done" | Code;
  /** How many requests meet the fault. */
  readonly met: number;
  /** Requests of that kind more than without the fault, where the copy is done. */
  readonly extra: number;
  /** So many more may meet it, and be sent again: those that are under way at the same time. */
  readonly besides?: number;
  /** It may end well, too: where a connection that nobody has asked for yet is the one that fails. */
  readonly mayBeDone?: boolean;
}

type Status = Fault & { readonly type: "status" };

/** What a fault means for the request that meets it. */
type Effect =
  /** Nothing is lost, or it is one answer among those that are expected. */
  | { readonly type: "none" }
  /** The request is sent again, so often in all; then the copy fails. */
  | { readonly type: "again"; readonly sends: number; readonly code: Code }
  /** The same, but then it is done without. */
  | { readonly type: "waived"; readonly sends: number }
  | { readonly type: "fails"; readonly code: Code }
  /** It is sent as another type, which is not refused. */
  | { readonly type: "retyped" }
  /** It is the answer of a registry that has no such list: it is not asked for another. */
  | { readonly type: "unknown" }
  /** The body breaks off, and what comes for the rest is wrong, or all of it. */
  | { readonly type: "rest"; readonly code: "done" | Code }
  /** The body breaks off, and of the rest it is said that there is none: all of it is asked for, and may break off again. */
  | { readonly type: "restart"; readonly sends: number };

/** How often a request is sent whose body, if any, can be sent again (retry.ts). */
const SENDS = 4;
/** A blob is asked for so often without getting on (next-try.ts), the first time included; and as often as one likes while it does. */
const BLOB_SENDS = 9;
/** How often an upload is asked how far it is: after each break, the first being that of the upload itself. */
const ASKED = BLOB_SENDS - 1;
export const PROGRESS = 64 * 1024;
/** From so many bytes on a blob can be sent in pieces. */
const PIECES = 1024 * 1024;
const LOOP = 6;
/** What registries answer that do not list referrers (referrers.ts). */
const NO_API: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 501]);

const none: Effect = { type: "none" };
const fails = (code: Code): Effect => ({ type: "fails", code });
const again = (code: Code, sends = SENDS): Effect => ({ type: "again", sends, code });

const unauthorized = (side: Side): Code => `${side}_unauthorized`;
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const ABSENT: ReadonlySet<number> = new Set([404, 410]);
const SESSION_LOST: ReadonlySet<string> = new Set(["BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"]);

/** Which request it is that meets the fault. */
export interface Meeting {
  /** From 1. */
  readonly nth: number;
  readonly times: number;
  /** How many requests of the kind there are without a fault. */
  readonly requests: number;
  /** They are told apart only by their order: those after the n-th meet the fault as well, if it comes again. */
  readonly ordered: boolean;
  /** Of the body of its answer, where that is a blob. */
  readonly bytes: number;
}

export function expected(
  { kind, side }: Pick<Column, "kind" | "side">,
  fault: Fault,
  { nth, times, requests, ordered, bytes }: Meeting,
): Expected {
  if (fault.type === "dial") return expectedOfDial(fault.how, kind, side, times);
  const effect = effectOf(fault, kind, side, bytes);
  switch (effect.type) {
    case "none":
      return { code: "done", met: ordered ? Math.min(times, requests - nth + 1) : 1, extra: 0 };
    case "retyped":
      return { code: "done", met: 1, extra: 1 };
    case "unknown":
      return { code: "done", met: 1, extra: nth === 1 ? 1 - requests : 0 };
    case "rest":
      return { code: effect.code, met: 2, extra: 1 };
    case "restart":
      return times < effect.sends
        ? { code: "done", met: times + 1, extra: times + 1 }
        : { code: "registry_unavailable", met: effect.sends, extra: 0 };
    case "fails":
      return { code: effect.code, met: 1, extra: 0 };
    case "waived":
      return times < effect.sends
        ? { code: "done", met: times, extra: times }
        : { code: "done", met: effect.sends, extra: effect.sends - 1 };
    case "again":
      return times < effect.sends
        ? { code: "done", met: times, extra: times }
        : { code: effect.code, met: effect.sends, extra: 0 };
  }
}

/** The request is lost with all connections, once or for ever, so that the next sends have none: what is sent besides has none either. */
function expectedOfDial(how: DialFault, kind: string, side: Side, times: number): Expected {
  const isFinal = how === "stranger" || how === "misnamed";
  const [code, besides] = [isFinal ? "tls_failed" : "registry_unavailable", 3 * SENDS] as const;
  if (kind === "GET tags" && side === "destination")
    return { code: times === 1 ? "done" : code, met: 1, extra: 0, besides: besides + SENDS };
  if (kind === "PATCH upload") return { code: "registry_unavailable", met: 1, extra: 0, besides };
  // Beside it, connections are opened for what comes next.
  const mayBeDone = kind === "HEAD manifest by digest" && times === 1;
  if (isFinal) return { code, met: 2, extra: 0, besides, mayBeDone };
  // What comes next is what fails: a new session; and before each of these it is asked whether the blob is there.
  if (kind === "DELETE upload")
    return times === 1
      ? { code: "done", met: 2, extra: 0 }
      : { code, met: 3 + (BLOB_SENDS - 2) * SENDS, extra: 0 };
  if (times === 1) return { code: "done", met: 2, extra: 1, besides };
  const sends = kind === "PUT upload" ? BLOB_SENDS : kind === "GET upload" ? ASKED : SENDS;
  return { code, met: sends, extra: 0, besides };
}

function effectOf(fault: Fault, kind: string, side: Side, bytes: number): Effect {
  const general = ofRequest(fault, kind, side, bytes);
  if (kind !== "POST mount") return general;
  // A registry that will not mount is sent the bytes.
  if (fault.type === "redirect" || (fault.type === "status" && general.type === "fails"))
    return none;
  if (fault.type === "status" && general.type === "again")
    return { type: "waived", sends: general.sends };
  return general;
}

/** An answer that is lost, or is none: the registry is asked, and has the blob. */
const isLost = (fault: Fault): boolean =>
  (fault.type === "break" && fault.at !== "request") ||
  fault.type === "two-lengths" ||
  fault.type === "length-and-chunks";

/** Bytes of a blob on their way out: the session is asked how far it is, and gone on with. */
function ofUpload(fault: Fault, bytes: number): Effect {
  if (fault.type === "extra" || isLost(fault)) return none;
  if (fault.type === "break" || fault.type === "upload")
    return again(fault.how === "stall" ? "transfer_stalled" : "registry_unavailable", BLOB_SENDS);
  if (fault.type !== "status") return fails("registry_unavailable");
  const { status, code = "" } = fault;
  // A large blob goes in pieces then, and this request only ends it: that is not too large, or not twice.
  if (bytes >= PIECES && status === 413) return again("registry_refused", 2);
  if (bytes >= PIECES && status === 416) return again("registry_refused", BLOB_SENDS + 1);
  if (status === 401) return again("destination_unauthorized", 2);
  const isPassing = PASSING.has(status) && isPatient(fault);
  return isPassing || ABSENT.has(status) || SESSION_LOST.has(code)
    ? again(codeOf(fault, "PUT upload", "destination"), BLOB_SENDS)
    : fails(codeOf(fault, "PUT upload", "destination"));
}

/** How far an upload is: whoever does not say so gets all of it anew. */
function ofQuestion(fault: Fault): Effect {
  if (fault.type === "extra") return none;
  if (fault.type === "redirect") return again("registry_unavailable", ASKED * LOOP);
  if (fault.type !== "status")
    return again(isStall(fault) ? "transfer_stalled" : "registry_unavailable", ASKED);
  const { status } = fault;
  if (status === 401) return { type: "waived", sends: 2 };
  if (!PASSING.has(status)) return none;
  const code = codeOf(fault, "GET upload", "destination");
  return isPatient(fault) ? again(code, ASKED) : fails(code);
}

/** Whether a repository is empty: whoever does not say so is asked for each of its parts. */
function ofHint(fault: Fault): Effect {
  if (fault.type === "redirect") return { type: "waived", sends: LOOP };
  return isRefused(fault) ? { type: "waived", sends: 2 } : none;
}

const isStall = (fault: Fault): boolean => "how" in fault && fault.how === "stall";

function ofRequest(fault: Fault, kind: string, side: Side, bytes: number): Effect {
  if (kind === "PUT upload") return ofUpload(fault, bytes);
  if (kind === "GET upload") return ofQuestion(fault);
  if (kind === "GET tags" && side === "destination") return ofHint(fault);
  // Whether a registry takes note that an upload is over does not matter.
  if (kind === "DELETE upload") return isRefused(fault) ? { type: "waived", sends: 2 } : none;
  switch (fault.type) {
    case "status":
      return ofStatus(fault, kind, side);
    case "break":
    case "upload":
      return ofBreak(fault, kind, bytes);
    case "extra":
      return none;
    case "redirect":
      return isFollowed(kind) ? again("registry_unavailable", LOOP) : fails("registry_unavailable");
    case "two-lengths":
    case "length-and-chunks":
      return fails("registry_unavailable");
    default:
      return ofBody(fault, kind, side, bytes);
  }
}

const isRefused = (fault: Fault): boolean => fault.type === "status" && fault.status === 401;
const isFollowed = (kind: string): boolean => /^(GET|HEAD) (?!token)/.test(kind);
const isToken = (kind: string): boolean => kind.endsWith(" token");
const isBytes = (kind: string): boolean => kind === "PUT upload" || kind === "PATCH upload";

function ofStatus(fault: Status, kind: string, side: Side): Effect {
  const { status } = fault;
  if (isBytes(kind)) return fails(codeOf(fault, kind, side));
  if (kind === "GET referrers" && NO_API.has(status)) return { type: "unknown" };
  if (kind.startsWith("HEAD ") && (status === 403 || ABSENT.has(status))) return none;
  if (status === 401)
    return isToken(kind) ? fails(unauthorized(side)) : again(unauthorized(side), 2);
  if (status === 415 && kind.startsWith("PUT manifest"))
    // As another type it has another digest, and is not refused.
    return kind.endsWith("tag") ? again("manifest_rejected", 2) : { type: "retyped" };
  // What it names is looked for once more, but not what a list names.
  if (fault.code === "MANIFEST_BLOB_UNKNOWN" && kind === "PUT manifest by digest")
    return again("registry_unavailable", 2);
  return PASSING.has(status) && isPatient(fault)
    ? again(codeOf(fault, kind, side))
    : fails(codeOf(fault, kind, side));
}

/** It does not want to be left alone for longer than anybody waits in place. */
const isPatient = ({ headers }: Status): boolean => Number(headers?.["Retry-After"] ?? 0) <= 2;

function codeOf({ status, code = "" }: Status, kind: string, side: Side): Code {
  if (status === 429) return "registry_rate_limited";
  if (status === 403 || (status === 401 && !isBytes(kind))) return unauthorized(side);
  if (side === "source" && ABSENT.has(status) && !isToken(kind)) return "source_not_found";
  if (status === 415 && kind.startsWith("PUT manifest")) return "manifest_rejected";
  if (kind.startsWith("PUT ") && code === "DIGEST_INVALID") return "digest_mismatch";
  const isSession = kind.endsWith(" upload") && !kind.startsWith("POST ");
  if (isSession && (ABSENT.has(status) || SESSION_LOST.has(code))) return "registry_unavailable";
  if (kind.startsWith("PUT manifest") && code === "MANIFEST_BLOB_UNKNOWN")
    return "registry_unavailable";
  // Unknown content was sent all at once; it goes in pieces in another attempt.
  if (kind === "PATCH upload" && (status === 413 || status === 416)) return "registry_unavailable";
  // A stream comes once: another attempt has another token.
  if (status === 401) return "registry_unavailable";
  const isFinal = status === 501 || (status < 500 && !PASSING.has(status));
  return isFinal ? "registry_refused" : "registry_unavailable";
}

/** How often a blob moves on that breaks off in the middle of what is left, each time. */
const halvings = (bytes: number): number =>
  bytes >> 1 < PROGRESS ? 0 : 1 + halvings(bytes - (bytes >> 1));

function ofBreak(fault: Fault & { type: "break" | "upload" }, kind: string, bytes: number): Effect {
  const isBlobBody = kind === "GET blob" && fault.type === "break" && fault.at === "body";
  const sends = isBlobBody ? halvings(bytes) + BLOB_SENDS : SENDS;
  if (fault.how === "stall")
    return isBlobBody ? again("transfer_stalled", sends) : fails("transfer_stalled");
  return isBytes(kind) ? fails("registry_unavailable") : again("registry_unavailable", sends);
}

/** What is wrong with a body that has come, or with what its head says of it. */
function ofBody(fault: Fault, kind: string, side: Side, bytes: number): Effect {
  const isBlob = kind === "GET blob";
  switch (fault.type) {
    case "drip":
      return isBlob ? again("transfer_stalled", BLOB_SENDS) : fails("transfer_stalled");
    case "endless-chunks":
      return isBlob ? none : again("registry_unavailable");
    case "range":
      if (fault.rest === "refused")
        // What came before the first break may have been enough not to count it.
        return { type: "restart", sends: BLOB_SENDS + (bytes >> 1 < PROGRESS ? 0 : 1) };
      return { type: "rest", code: fault.rest === "whole" ? "done" : "registry_unavailable" };
    case "length":
      if (isBlob) return fails("size_mismatch");
      return fault.by > 0 ? again("registry_unavailable") : ofWrong(kind, side, "cut");
    case "gzip":
      return isBlob ? fails("size_mismatch") : ofWrong(kind, side, "packed");
    case "flip":
      return isBlob ? fails("digest_mismatch") : ofWrong(kind, side, "flipped");
    default:
      throw new Error(`${fault.type} is about no body`);
  }
}

function ofWrong(kind: string, side: Side, how: "cut" | "packed" | "flipped"): Effect {
  switch (kind) {
    case "GET token":
    case "POST token":
      if (how !== "flipped") return fails("registry_unavailable");
      // What is refused with the first one only spares other questions.
      return side === "source" ? fails(unauthorized(side)) : again(unauthorized(side), 2);
    case "GET tags":
      // Nothing tells that a tag is another one.
      return how === "flipped" ? none : fails("registry_unavailable");
    case "GET referrers":
      // The destination is only asked whether it has such a list.
      return side === "destination" ? none : fails("manifest_invalid");
    default:
      if (how === "packed") return fails("registry_unavailable");
      // It is read again by the digest that the registry says it has.
      if (kind === "GET manifest by tag") return none;
      return fails(kind.endsWith("digest") ? "digest_mismatch" : "manifest_invalid");
  }
}
