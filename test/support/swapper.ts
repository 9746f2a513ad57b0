// A process that swaps a folder with a link to another one and back, at random moments, until it is killed:
// `node swapper.ts <folder> <other>`. It says once that it has begun.

import { renameSync, symlinkSync, unlinkSync } from "node:fs";

const [folder = "", other = ""] = process.argv.slice(2);
const aside = `${folder}.aside`;
const cell = new Int32Array(new SharedArrayBuffer(4));
const pause = (ms: number): unknown => Atomics.wait(cell, 0, 0, Math.random() * ms);
const tried = (act: () => void): boolean => {
  try {
    act();
    return true;
  } catch {
    return false;
  }
};

process.stdout.write("swapping\n");
for (;;) {
  pause(6);
  if (!tried(() => renameSync(folder, aside))) continue;
  tried(() => symlinkSync(other, folder));
  pause(1);
  tried(() => unlinkSync(folder));
  // Somebody may have made something in between: it goes, and the folder comes back.
  while (!tried(() => renameSync(aside, folder)))
    tried(() => renameSync(folder, `${folder}.${process.hrtime.bigint()}`));
}
