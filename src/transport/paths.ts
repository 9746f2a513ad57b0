// Where a reference's path leads: below the data folder, or nowhere. The words are judged first (pure, so that the API can
// refuse a job at its border), then the disk: a symbolic link may lead to another place in the data folder, never out of it.

import type { Stats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { CopyError, type Side } from "../errors.ts";

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

/**
 * The real path of a place below `dataDir`, every symbolic link followed; what does not exist yet is added to its deepest
 * existing ancestor. Throws `path_denied` if a link leads out of the folder, or to nothing.
 */
export async function confine(dataDir: string, path: string, side: Side): Promise<string> {
  const root = await realPathSoFar(resolve(dataDir), side);
  const real = await realPathSoFar(path, side);
  if (!isBelow(root, real))
    throw denied(basename(path), "a symbolic link leads out of the data folder", side);
  return real;
}

async function realPathSoFar(path: string, side: Side): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOTDIR") throw denied(basename(path), "it leads through a file", side);
    if (code === "ELOOP")
      throw denied(basename(path), "its symbolic links go round in circles", side);
    if (code !== "ENOENT" || dirname(path) === path) throw error;
  }
  // A link to nothing counts as not existing for realpath; what is made there later would be made where it points.
  const there = await lstatIfAny(path);
  if (there?.isSymbolicLink())
    throw denied(basename(path), "a symbolic link on its way leads to nothing", side);
  // Another writer may have made it since.
  if (there !== undefined) return realPathSoFar(path, side);
  return join(await realPathSoFar(dirname(path), side), basename(path));
}

async function lstatIfAny(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The system's word for what went wrong, such as `ENOENT`. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

const isBelow = (root: string, path: string): boolean =>
  path.startsWith(root.endsWith(sep) ? root : root + sep) && path !== root;

const denied = (path: string, why: string, side: Side): CopyError =>
  new CopyError(
    "path_denied",
    `the path \`${path.slice(0, 200)}\` is refused: ${why}; name a place below the service's data folder, such as \`images/app\``,
    { side },
  );
