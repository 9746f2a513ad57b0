// Where a reference's path leads, by its words alone: below the data folder, or nowhere.

import { join, resolve, sep } from "node:path";
import { CopyError, type Side } from "../errors.ts";

/** Where the service keeps what it needs for a while, below the data folder: no reference leads there. */
export const OWN_FOLDER = ".transship";

/** Bytes of one name (Linux NAME_MAX), and of a whole path: with the names we add it stays below PATH_MAX. */
const LIMITS = { name: 255, path: 2048 } as const;

/**
 * The absolute path that a reference's path means, by its words alone: relative to `dataDir`, or absolute and below it. Throws
 * `path_denied` for everything that would leave the folder, or that another program could read as leaving it (reliability T35).
 */
export function locate(dataDir: string, path: string, side: Side): string {
  const fault = faultOf(path);
  if (fault !== undefined) throw denied(path, fault, side);
  const root = resolve(dataDir);
  const absolute = resolve(root, path);
  if (!isBelow(root, absolute)) throw denied(path, "it does not lie below the data folder", side);
  if (`${absolute}/`.startsWith(`${join(root, OWN_FOLDER)}/`))
    throw denied(path, "that folder is the service's own", side);
  return absolute;
}

/** What is wrong with the words of a path; undefined: nothing. */
function faultOf(path: string): string | undefined {
  if (Buffer.byteLength(path) > LIMITS.path) return `it is longer than ${LIMITS.path} bytes`;
  if (path.includes("\0")) return "it contains a NUL";
  if (path.includes("\\")) return "it contains a backslash";
  for (const name of path.split("/")) {
    if (Buffer.byteLength(name) > LIMITS.name)
      return `a name in it is longer than ${LIMITS.name} bytes`;
    const read = name
      .normalize("NFKC")
      .replaceAll(/%2e/gi, ".")
      .replaceAll(/%2f/gi, "/")
      .replaceAll(/%5c/gi, "\\");
    if (read.split(/[/\\]/).includes("..")) return "it contains `..`, or what can be read as it";
  }
  return undefined;
}

export const isBelow = (root: string, path: string): boolean =>
  path.startsWith(root.endsWith(sep) ? root : root + sep) && path !== root;

/** `why`: what is wrong with it. */
export const denied = (path: string, why: string, side: Side): CopyError =>
  new CopyError(
    "path_denied",
    `the path \`${path.slice(0, 200)}\` is refused: ${why}; name a place below the service's data folder, such as \`images/app\``,
    { side },
  );
