import { CopyError } from "../../errors.ts";

/** Quotes the reference, less what could be a password that somebody put into it. */
export const invalid = (text: string, why: string): CopyError =>
  new CopyError(
    "reference_invalid",
    `\`${text.slice(0, 200).replace(/\/\/[^/@]*@/, "//…@")}\`: ${why}`,
  );
