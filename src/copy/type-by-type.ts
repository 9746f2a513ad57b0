import { CopyError } from "../errors.ts";
import { IncompatibleCompression } from "../image/manifest/layer-types.ts";
import type { TypePlan } from "./decide.ts";

/**
 * Writes a manifest as the preferred type, then as the others (semantics 3.3). Another is tried only after the destination refused the
 * type as such, or the type could not name the layers; once that is so, whatever else fails leads to the next. Throws the only error
 * there was, or `manifest_rejected` with all that was tried.
 */
export async function typeByType<T>(
  { preferred, others }: TypePlan,
  write: (type: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const tried: { readonly type: string; readonly error: unknown }[] = [];
  for (const type of [preferred, ...others]) {
    try {
      return await write(type);
    } catch (error) {
      signal.throwIfAborted();
      if (others.length === 0 || (tried.length === 0 && !refusesType(error))) throw error;
      tried.push({ type, error });
    }
  }
  const each = tried.map(({ type, error }) => `${type} (${messageOf(error)})`);
  throw new CopyError(
    "manifest_rejected",
    `the destination takes the manifest in no type: ${each.join("; ")}`,
    { side: "destination", phase: "manifest" },
    tried[0]?.error,
  );
}

const refusesType = (error: unknown): boolean =>
  error instanceof IncompatibleCompression ||
  (error instanceof CopyError &&
    error.code === "manifest_rejected" &&
    error.context.side === "destination" &&
    error.context.upstream !== undefined);

const messageOf = (error: unknown): string =>
  error instanceof CopyError ? error.message : "an unexpected error";
