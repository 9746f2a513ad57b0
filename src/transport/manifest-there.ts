import type { FoundManifest, Source } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { manifestDigest } from "../image/manifest/manifest.ts";

/** What a destination's reference names now, read as a source is. Undefined: nothing, or nothing that can be read. */
export async function manifestThere(
  open: () => Promise<Source>,
  signal: AbortSignal,
): Promise<FoundManifest | undefined> {
  try {
    await using there = await open();
    const manifest = await there.getManifest(undefined, signal);
    return { digest: manifestDigest(manifest), mediaType: manifest.mediaType };
  } catch (error) {
    const isOurs = error instanceof CopyError && error.code === "storage_full";
    if (error instanceof CopyError && !error.retryable && !isOurs) return undefined;
    throw error;
  }
}
