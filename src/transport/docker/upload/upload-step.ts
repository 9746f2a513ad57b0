// What becomes of an upload whose request did not do what it should: decisions only.

import type { CopyError } from "../../../errors.ts";
import { parseCount } from "../content-range.ts";
import { isSessionLost } from "../failure-class.ts";
import { mayPass } from "../next-try.ts";

/** `broken`: nobody knows how much came; `refused`: the registry has said no. */
export type Trouble =
  | { readonly kind: "broken" }
  | { readonly kind: "refused"; readonly status: number; readonly code?: string | undefined };

/** The session is not there any more. */
export const GONE: Trouble = { kind: "refused", status: 404 };
/** What is stored is not what was sent. */
export const MISPLACED: Trouble = { kind: "refused", status: 400, code: "DIGEST_INVALID" };

/** Whether an answer that was not hoped for is a no. */
export function troubleIn(refusal: CopyError): Trouble {
  const { upstream } = refusal.context;
  return upstream === undefined || mayPass(refusal)
    ? { kind: "broken" }
    : { kind: "refused", ...upstream };
}

export interface UploadState {
  /** What the source has given already can be had again. */
  readonly canRepeat: boolean;
  /** The session had bytes before, and was gone on with where the registry told. */
  readonly isResumed: boolean;
  /** The request brought all that was left, or a piece. */
  readonly isPiece: boolean;
  /** There is another way of sending the same to try. */
  readonly hasOther: boolean;
  /** The registry takes nothing up again. */
  readonly beginsAnew: boolean;
}

/**
 * `ask` the session how far it is, and go on there; `anew`: begin another session, with the first byte; `otherwise`: the same as ask, and
 * send in another way (upload-mode.ts); `check`: the same as ask, and if it says what it has said, otherwise, or anew where there is no other
 * way; `fail`: it is over, as far as this attempt is concerned.
 */
export type Next = "ask" | "anew" | "otherwise" | "check" | "fail";

/** Says nothing of how often: next-try.ts does. */
export function nextStep(trouble: Trouble, state: UploadState): Next {
  if (!state.canRepeat) return "fail";
  if (trouble.kind === "broken") return state.beginsAnew ? "anew" : "ask";
  const { status } = trouble;
  // What had come before it broke off may still have been on its way when the registry was asked.
  if (status === 416 && state.isResumed) return "check";
  if (state.hasOther) return "otherwise";
  if (status === 401 || status === 403) return "fail";
  // What a registry says of an upload that broke off may be wrong (Amazon's), or it takes none up again (Google's).
  if (state.isResumed || (isSessionLost(trouble) && status !== 416)) return "anew";
  return status === 416 && state.isPiece ? "ask" : "fail";
}

/**
 * How many bytes a session has, by its `Range: 0-<last>`; undefined: it does not say. Registries that have nothing yet say `0-0`
 * (distribution), as they would for one byte: it is taken for nothing, and a wrong offset is refused or shows in the digest.
 */
export function storedIn(range: string | undefined): number | undefined {
  const text = range?.startsWith("bytes=") ? range.slice("bytes=".length) : range;
  if (text === undefined || !text.startsWith("0-")) return undefined;
  const last = parseCount(text.slice(2));
  return last === undefined || last === 0 ? last : last + 1;
}
