// Programs that are not npm packages: looked for on PATH, else unpacked from the distribution's own packages.

import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { local } from "./common.mjs";
import { debianRoot, libraryDirs, unpackPackages } from "./debian.mjs";

/** Where the unpacked programs' launchers are. */
export const programsDir = join(local, "bin");

/**
 * What may be asked for: the programs of which one is enough, the packages that bring one, the better one first, and what to tell
 * the person where neither works out.
 */
const PROGRAMS = {
  "redis-server": {
    programs: ["redis-server", "valkey-server"],
    packages: ["redis-server", "valkey-server"],
    advice:
      "install redis-server or valkey-server (Debian, Ubuntu: sudo apt-get install -y redis-server; macOS: brew install redis)",
  },
  /** A Redis to work with, wherever it runs. */
  redis: {
    unless: "REDIS_URL",
    programs: ["redis-server", "valkey-server"],
    packages: ["redis-server", "valkey-server"],
    advice:
      "install redis-server or valkey-server (Debian, Ubuntu: sudo apt-get install -y redis-server; macOS: brew install redis), or set REDIS_URL to one that runs",
  },
  registry: {
    programs: ["docker-registry", "registry"],
    packages: ["docker-registry"],
    advice: "install docker-registry",
  },
  skopeo: { programs: ["skopeo"], packages: ["skopeo"], advice: "install skopeo" },
  umoci: { programs: ["umoci"], packages: ["umoci"], advice: "install umoci" },
  openssl: { programs: ["openssl"], packages: ["openssl"], advice: "install openssl" },
  gpg: { programs: ["gpg"], packages: ["gpg"], advice: "install gpg" },
  bzip2: { programs: ["bzip2"], packages: ["bzip2"], advice: "install bzip2" },
  xz: { programs: ["xz"], packages: ["xz-utils"], advice: "install xz (Debian: xz-utils)" },
  curl: { programs: ["curl"], packages: ["curl"], advice: "install curl" },
  zstd: { programs: ["zstd"], packages: ["zstd"], advice: "install zstd" },
};

/** Which of `names` are there and which are not. */
export function findPrograms(names, env) {
  const folders = [
    ...(env.PATH ?? "").split(delimiter).filter((folder) => folder !== ""),
    programsDir,
  ];
  const there = ({ programs, unless }) =>
    Boolean(env[unless]) ||
    programs.some((program) => folders.some((folder) => isProgram(join(folder, program))));
  const missing = names.filter((name) => {
    if (PROGRAMS[name] === undefined) throw new Error(`unknown program ${name}`);
    return !there(PROGRAMS[name]);
  });
  return { missing };
}

/** Unpacks the distribution's packages for `names`; returns what could not be had, each with a sentence. */
export function unpackPrograms(names) {
  const wanted = names.map((name) => PROGRAMS[name]);
  const { failures } = unpackPackages(wanted.map(({ packages }) => packages));
  return names.flatMap((name, i) => {
    const program = PROGRAMS[name].programs.find((file) => folderOf(file) !== undefined);
    if (failures[i] === undefined && program !== undefined) {
      writeLauncher(program);
      return [];
    }
    return [
      {
        name,
        reason: `${name} is missing, and it could not be fetched (${failures[i] ?? "its package has another program"}): ${PROGRAMS[name].advice}.`,
      },
    ];
  });
}

/** Where the unpacked program is; Debian's older packages have some of them outside /usr. */
const folderOf = (program) =>
  ["usr/bin", "bin"].find((folder) => existsSync(join(debianRoot, folder, program)));

/** Global options that a program needs because its own files are not below /etc. */
const OPTIONS = { skopeo: '--policy "$root/etc/containers/policy.json"' };

/** A script that runs an unpacked program with the libraries unpacked beside it: nobody else gets to see those. */
function writeLauncher(program) {
  const folders = libraryDirs().map((dir) => `$root${dir.slice(debianRoot.length)}`);
  const text = `#!/bin/sh
root=$(CDPATH= cd -- "$(dirname -- "$0")/../debian" && pwd) || exit 1
LD_LIBRARY_PATH="${folders.join(":")}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$root/${folderOf(program)}/${program}" ${OPTIONS[program] ?? ""} "$@"
`;
  mkdirSync(programsDir, { recursive: true });
  const file = join(programsDir, program);
  writeFileSync(`${file}.new`, text);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
