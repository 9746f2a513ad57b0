// The two ways in which a manifest is refused.

import { CopyError } from "../../errors.ts";

/** Readers could disagree on what the source's manifest, or its config, means. */
export const invalid = (
  why: string,
  cause?: unknown,
  what: "manifest" | "config" = "manifest",
): CopyError =>
  new CopyError(
    "manifest_invalid",
    `the ${what} is refused: ${why}`,
    { side: "source", phase: "manifest" },
    cause,
  );

/** What the image is cannot be said in the type that is asked for. */
export const rejected = (why: string): CopyError =>
  new CopyError("manifest_rejected", why, { side: "destination", phase: "manifest" });
