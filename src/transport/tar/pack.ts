// A folder as a tar archive.

import { readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { fromRegion, openRegular } from "../files.ts";
import { pourInto, writeAt } from "../pour.ts";
import { disk } from "../store.ts";
import { BLOCK, formatHeader, paddingOf } from "./header.ts";

const AT = { side: "destination", phase: "commit" } as const;

const FILE = { type: "file", mode: 0o644 } as const;
const FOLDER = { type: "folder", mode: 0o755, size: 0 } as const;

/**
 * Writes all files and folders below `folder` into `archive`, which is empty. In the order of their names, and owned by root, so that the
 * same files make the same bytes; `modified`: the time of all of them, in seconds since 1970.
 */
export async function packFolder(
  folder: string,
  archive: FileHandle,
  modified: number,
  signal: AbortSignal,
): Promise<void> {
  let end = 0;
  for await (const name of namesBelow(folder, "")) {
    if (name.endsWith("/")) {
      end += await writeAt(archive, formatHeader({ ...FOLDER, modified, name }), end);
      continue;
    }
    await using file = await openRegular(join(folder, name), AT);
    if (file === undefined) throw new Error("a file has gone while its folder was packed");
    const { size } = file;
    end += await writeAt(archive, formatHeader({ ...FILE, modified, name, size }), end);
    await pourInto(archive, fromRegion(file, { offset: 0, size }), { at: end, ...AT }, signal);
    end += size + paddingOf(size);
  }
  await disk(archive.truncate(end + 2 * BLOCK));
}

/** Folders end in a slash, and come before what is in them. */
async function* namesBelow(folder: string, below: string): AsyncGenerator<string> {
  const entries = await disk(readdir(join(folder, below), { withFileTypes: true }));
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = `${below}${entry.name}`;
    if (entry.isDirectory()) {
      yield `${name}/`;
      yield* namesBelow(folder, `${name}/`);
    } else yield name;
  }
}
