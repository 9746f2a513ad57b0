// What the parts of the set-up share.

import { fileURLToPath } from "node:url";
import { join } from "node:path";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What the project keeps on this machine and may be deleted at any time, the data of `npm start` excepted. */
export const local = join(root, ".local");

/** It cannot go on; the message is a sentence for the person at the terminal. */
export class Impossible extends Error {}

/** One line about what is being done. On stderr, so that a command's own output stays clean. */
export const say = (line) => console.error(`· ${line}`);

/** Does `work`, and says what and how long it took. */
export function timed(line, work) {
  const start = Date.now();
  process.stderr.write(`· ${line} … `);
  try {
    return work();
  } finally {
    console.error(`${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
}

/** The last lines of a program's output that say anything. */
export const lastLines = (text, count = 8) =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count)
    .join("\n");
