// The files of registries.conf on this machine: the one that REGISTRIES_CONF names, and its drop-ins.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseRegistriesConf } from "./registries-conf-file.ts";
import { merge, NO_REGISTRIES, type RegistriesConf } from "./registries-conf.ts";
import { ConfFaults } from "./toml-table.ts";
import { stampOf, stampOfFolder, Watched } from "./watched-file.ts";

const dropInsOf = (path: string): string => `${path}.d`;

/**
 * Reads a file and the `*.conf` of the folder beside it that is called as it is with `.d`, in the order of their names; there need not
 * be such a folder. Throws `ConfFaults` with all that is wrong in any of them.
 */
export function readRegistriesConf(path: string): RegistriesConf {
  const faults: string[] = [];
  const confs = [path, ...dropInNames(path, faults)].map((file, i) =>
    readOne(file, i === 0 ? "main" : "drop-in", faults),
  );
  if (faults.length > 0) throw new ConfFaults(faults);
  return confs.reduce(merge, NO_REGISTRIES);
}

/** The same, read again when a file changes; `onFault` hears of a change that is no good. Throws as it does. */
export const watchRegistriesConf = (
  path: string,
  onFault: (error: unknown) => void,
): Watched<RegistriesConf> =>
  new Watched({
    stamp: () => `${stampOf(path)}\n${stampOfFolder(dropInsOf(path))}`,
    load: () => readRegistriesConf(path),
    onFault,
  });

function dropInNames(path: string, faults: string[]): readonly string[] {
  const folder = dropInsOf(path);
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.name.endsWith(".conf") && !entry.isDirectory())
      .map(({ name }) => join(folder, name))
      .toSorted();
  } catch (error) {
    if (codeIn(error) !== "ENOENT") faults.push(`${folder}: it cannot be read (${codeIn(error)})`);
    return [];
  }
}

function readOne(file: string, form: "main" | "drop-in", faults: string[]): RegistriesConf {
  try {
    return parseRegistriesConf(readFileSync(file, "utf8"), file, form);
  } catch (error) {
    // A drop-in that is gone since its folder was read is no fault.
    if (error instanceof ConfFaults) faults.push(...error.faults);
    else if (form === "main" || codeIn(error) !== "ENOENT")
      faults.push(`${file}: it cannot be read (${codeIn(error)})`);
    return NO_REGISTRIES;
  }
}

const codeIn = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";
