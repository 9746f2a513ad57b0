import type { Bytes } from "../bytes.ts";
import { reasonOf, toCopyError, type ErrorContext } from "../errors.ts";
import type { Step } from "./interfaces.ts";

/** Runs an end's method; what it throws says whose fault it was. An abort's reason passes as it is. */
export async function blamed<T>(
  context: ErrorContext,
  signal: AbortSignal,
  task: () => Promise<T>,
): Promise<T> {
  try {
    return await task();
  } catch (error) {
    const reason = reasonOf(error, signal);
    throw signal.aborted && reason === signal.reason ? reason : toCopyError(reason, context);
  }
}

/** What fails while the content is read is the source's fault, though it surfaces in the destination's write. */
export const blameSource =
  (at: ErrorContext): Step =>
  ({ content, info, again }) => {
    const withBlame = (bytes: Bytes): Bytes => ({
      pour: (sink, signal) =>
        blamed({ ...at, side: "source" }, signal, () => bytes.pour(sink, signal)),
    });
    return {
      info,
      content: withBlame(content),
      ...(again !== undefined && { again: (span) => withBlame(again(span)) }),
    };
  };
