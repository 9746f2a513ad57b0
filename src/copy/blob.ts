// One blob: foreign, found, mounted, or moved through the pipeline.

import { CopyError, reasonOf, toCopyError, type ErrorContext } from "../errors.ts";
import type { Bytes } from "../bytes.ts";
import type { Descriptor } from "../image/blob-info.ts";
import { staysForeign } from "./decide.ts";
import type { Artifact } from "./progress.ts";
import type { BlobStream, CopyControl, CopyEnds, Step } from "./interfaces.ts";
import type { CopyOptions } from "./options.ts";
import { meter } from "./pipeline/meter.ts";
import { verify } from "./pipeline/verify.ts";

export interface Blob {
  readonly descriptor: Descriptor;
  readonly artifact: Artifact;
}

/** Sees to it that the destination has the blob, and reports how. Called with a permit. */
export async function copyBlob(
  { descriptor, artifact }: Blob,
  ends: CopyEnds,
  options: CopyOptions,
  report: CopyControl["report"],
  signal: AbortSignal,
): Promise<void> {
  const { source, destination } = ends;
  if (artifact.kind === "layer" && staysForeign(descriptor, destination.traits, options)) {
    return report({ type: "blob-skipped", artifact, reason: "foreign" });
  }
  report({
    type: "report",
    message: `Copying ${artifact.kind === "config" ? "config" : "blob"} ${descriptor.digest}`,
  });
  const at = { phase: "blob", digest: descriptor.digest } as const;
  const found = await blamed({ side: "destination", ...at }, signal, () =>
    destination.findBlob(descriptor, signal),
  );
  if (found !== undefined) return report({ type: "blob-skipped", artifact, reason: "exists" });
  const from = source.location;
  if (
    from !== undefined &&
    from.registry === destination.location?.registry &&
    from.repository !== destination.location.repository &&
    (await blamed({ side: "destination", ...at }, signal, () =>
      destination.mountBlob(descriptor, from, signal),
    ))
  ) {
    return report({ type: "blob-skipped", artifact, reason: "mounted" });
  }

  const read = await blamed({ side: "source", ...at }, signal, () =>
    source.getBlob(descriptor, signal),
  );
  report({ type: "blob-new", artifact });
  const steps: readonly Step[] = [
    blameSource(at),
    verify(descriptor),
    meter(artifact, options.progressIntervalMs, report),
  ];
  const moved = steps.reduce<BlobStream>((blob, step) => step(blob), {
    content: read.content,
    info: descriptor,
  });
  const stored = await blamed({ side: "destination", ...at }, signal, () =>
    destination.putBlob(moved, signal),
  );
  if (stored.digest !== descriptor.digest)
    throw new CopyError(
      "digest_mismatch",
      `the blob ${descriptor.digest} was stored as ${stored.digest}`,
      { side: "destination", ...at },
    );
  report({ type: "blob-done", artifact, offset: descriptor.size, bytesStored: stored.size });
}

/** What fails while the content is read is the source's fault, though it surfaces in the destination's write. */
const blameSource =
  (at: ErrorContext): Step =>
  ({ content, info }) => ({
    info,
    content: {
      pour: (sink, signal) =>
        blamed({ side: "source", ...at }, signal, () => content.pour(sink, signal)),
    } satisfies Bytes,
  });

/** Runs an end's method; what it throws says whose fault it was. An abort's reason passes as it is. */
async function blamed<T>(
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
