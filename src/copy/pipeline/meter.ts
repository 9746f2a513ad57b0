import type { Artifact, Report } from "../progress.ts";
import type { Step } from "../interfaces.ts";

/** Reports the bytes that pass, at most once in `intervalMs`. What passed last is told by `blob-done`, once the blob is stored. */
export const meter =
  (
    artifact: Artifact,
    intervalMs: number,
    report: Report,
    now: () => number = performance.now.bind(performance),
  ): Step =>
  ({ content, ...blob }) => ({
    ...blob,
    content: {
      pour: async (sink, signal) => {
        let offset = 0;
        let reported = 0;
        let last = now();
        await content.pour((chunk, release) => {
          offset += chunk.length;
          const time = now();
          if (time - last > intervalMs) {
            report({ type: "blob-read", artifact, offset, offsetUpdate: offset - reported });
            reported = offset;
            last = time;
          }
          sink(chunk, release);
        }, signal);
      },
    },
  });
