// The service's own folder below the data folder: for what is too large for memory and wanted for a while. It is on the file system of
// the images, and no reference leads there.

import { join, resolve } from "node:path";
import { OWN_FOLDER } from "../image/path.ts";
import { Folder } from "./folder.ts";
import { confine } from "./paths.ts";
import { removeLeftovers, temporaryName } from "./store.ts";

/** A real path there that nobody else has; there is nothing yet. Whoever makes a file or folder of it removes it. */
export const ownPath = async (dataDir: string): Promise<string> =>
  join(await folderIn(dataDir), temporaryName());

/** Makes the folder. Also removes what killed processes left there a day ago. */
export async function makeOwnFolder(dataDir: string): Promise<void> {
  await using folder = await Folder.make(await folderIn(dataDir));
  await removeLeftovers(folder);
}

const folderIn = (dataDir: string): Promise<string> =>
  confine(dataDir, join(resolve(dataDir), OWN_FOLDER), "destination");
