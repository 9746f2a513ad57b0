// The service's own folder below the data folder: for what is too large for memory and wanted for a while. It is on the file system of
// the images, and no reference leads there.

import { join, resolve } from "node:path";
import { OWN_FOLDER } from "../image/path.ts";
import { makeFolder, removeLeftovers, temporaryIn } from "./store.ts";

/** A path there that nobody else has; there is nothing yet. Whoever makes a file or folder of it removes it. */
export const ownPath = (dataDir: string): string => temporaryIn(folderIn(dataDir));

/** Makes the folder. Also removes what killed processes left there a day ago. */
export async function makeOwnFolder(dataDir: string): Promise<void> {
  await makeFolder(folderIn(dataDir));
  await removeLeftovers(folderIn(dataDir));
}

const folderIn = (dataDir: string): string => join(resolve(dataDir), OWN_FOLDER);
