import { CopyError } from "../errors.ts";

/** A layer whose bytes are not what they should be: damaged, cut short, too much of them. */
export const layerInvalid = (message: string, cause?: unknown): CopyError =>
  new CopyError("layer_invalid", message, { side: "source", phase: "blob" }, cause);
