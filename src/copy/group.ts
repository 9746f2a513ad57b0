import { reasonOf } from "../errors.ts";

/**
 * Runs tasks side by side; the first to fail aborts the others. Settles only when every task has ended, so that nothing of a failed
 * copy still writes while its next attempt begins. Throws the error of the first task in order that failed by itself, as
 * containers/image reports the lowest layer's; or `signal`'s reason.
 */
export async function group(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const outcomes = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        await task(either);
      } catch (error) {
        const reason = reasonOf(error, either);
        failure.abort(reason);
        throw reason;
      }
    }),
  );
  signal.throwIfAborted();
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
