import type { ErrorContext } from "../errors.ts";
import { openRegular, readInto } from "./files.ts";

const CHUNK = 256 * 1024;

/** Whether two files hold the same bytes; false where one is missing. */
export async function sameContent(
  path: string,
  otherPath: string,
  context: ErrorContext,
  signal: AbortSignal,
): Promise<boolean> {
  await using file = await openRegular(path, context);
  await using other = await openRegular(otherPath, context);
  if (file === undefined || file.size !== other?.size) return false;
  const [mine, theirs] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
  for (let at = 0; at < file.size; at += CHUNK) {
    signal.throwIfAborted();
    const length = await readInto(file, mine, at);
    if (length !== (await readInto(other, theirs, at))) return false;
    if (!mine.subarray(0, length).equals(theirs.subarray(0, length))) return false;
  }
  return true;
}
