import type { Bytes, Sink } from "../../bytes.ts";

/**
 * The same content, of which `reader` gets a second view while it is poured: a chunk is given back when both have released it. What
 * the reader makes of it is told by `result`, once the content has been poured. Where the reader fails, pouring fails.
 */
export function tee<T>(
  content: Bytes,
  reader: (copy: Bytes, signal: AbortSignal) => Promise<T>,
): { readonly content: Bytes; readonly result: () => Promise<T> } {
  let outcome: Promise<T> | undefined;
  return {
    content: {
      pour: async (sink, signal) => {
        const failed = new AbortController();
        const either = AbortSignal.any([signal, failed.signal]);
        const ended = Promise.withResolvers<void>();
        ended.promise.catch(() => {});
        const ready = Promise.withResolvers<Sink>();
        const read = reader(
          {
            pour: async (second) => {
              ready.resolve(second);
              await ended.promise;
            },
          },
          either,
        );
        outcome = read;
        // A reader that fails before it asks for bytes must not be waited for.
        read.catch((error: unknown) => {
          failed.abort(error);
          ready.resolve((_chunk, release) => release());
        });
        const second = await ready.promise;
        try {
          await content.pour((chunk, release) => {
            let lent = 2;
            const giveBack = () => void (--lent === 0 && release());
            second(chunk, giveBack);
            sink(chunk, giveBack);
          }, either);
          ended.resolve();
        } catch (error) {
          ended.reject(error);
          await read.catch(() => {});
          throw error;
        }
        await read;
      },
    },
    result: () => outcome ?? Promise.reject(new Error("the content was not poured")),
  };
}
