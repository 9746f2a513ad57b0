// Where a reference's path leads on the disk: a symbolic link may lead to another place in the data folder, never out of it. Its words
// were judged before (image/path.ts).

import type { Stats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Side } from "../errors.ts";
import { denied, isBelow } from "../image/path.ts";

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
