// A request of an upload that did not do what it should, or of which nobody knows whether it did.

import { CopyError } from "../../../errors.ts";
import type { Reply } from "../answer.ts";
import { MISPLACED, troubleIn, type Trouble } from "./upload-step.ts";

export interface Failed {
  readonly error: CopyError;
  readonly trouble: Trouble;
  /** That it was to bring. */
  readonly bytes: number;
}

/** What an answer means that was not the one hoped for. `isLapsed`: it refuses a token, which is not to say that it refuses us. */
export const failedBy = (error: CopyError, bytes: number, isLapsed: boolean): Failed =>
  isLapsed
    ? { error: lapsed(error), trouble: { kind: "broken" }, bytes }
    : { error, trouble: troubleIn(error), bytes };

/** The error for a token that was refused, where there is another: it may have lapsed on its way. */
export const lapsed = ({ message, context }: CopyError): CopyError =>
  new CopyError("registry_unavailable", `${message}; there is another token now`, context);

/** What was sent in several requests, and is not what is stored; undefined: it is. */
export async function failedCheck(check: Promise<void>): Promise<Failed | undefined> {
  try {
    await check;
    return undefined;
  } catch (error) {
    if (!(error instanceof CopyError)) throw error;
    return { error, trouble: MISPLACED, bytes: 0 };
  }
}

export const isStored = ({ status }: Reply): boolean => status === 201;

export const isFine = ({ status }: Reply): boolean => status >= 200 && status < 300;
