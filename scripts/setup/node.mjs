// The npm packages, and with them the Node that the project runs on.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Impossible, lastLines, local, root, timed } from "./common.mjs";
import { libraryDirs, unpackPackages } from "./debian.mjs";

const ownNode = join(root, "node_modules/.bin/node");

/** `npm ci`, unless node_modules holds what the lock file says. */
export function installPackages() {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  if (existsSync(ownNode) && isInstalled(lock, readInstalled())) return;
  const { npm_execpath: npmFile } = process.env;
  const [npm, ...first] =
    npmFile === undefined || !/npm-cli\.c?js$/.test(npmFile)
      ? ["npm"]
      : [process.execPath, npmFile];
  // The project's Node is a development dependency, and its install script fetches it: no setting of this machine may skip either.
  const args = [
    ...first,
    "ci",
    "--include=dev",
    "--ignore-scripts=false",
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
  ];
  const result = timed("installing the npm packages (npm ci)", () =>
    spawnSync(npm, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
  );
  if (result.signal) process.exit(130);
  if (result.status !== 0)
    throw new Impossible(
      `npm ci failed:\n${lastLines(result.error?.message ?? result.stderr + result.stdout)}`,
    );
}

/** True if each package of the lock is installed in the lock's version; those for other machines are optional and may be missing. */
export function isInstalled(lock, installed) {
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === "") return true;
    const found = installed.packages[path];
    return found === undefined ? wanted.optional === true : found.version === wanted.version;
  });
}

/** npm's own account of what it installed. */
function readInstalled() {
  try {
    return JSON.parse(readFileSync(join(root, "node_modules/.package-lock.json"), "utf8"));
  } catch {
    return { packages: {} };
  }
}

/**
 * The project's Node, and the folder of libraries to run it with, if any: Node's builds for Linux need libatomic, which a minimal
 * Debian or Ubuntu lacks.
 */
export function projectNode() {
  const libraries = join(local, "lib");
  const plain = version();
  if (plain.works) return { program: ownNode };
  if (!plain.message.includes("libatomic.so.1"))
    throw new Impossible(`The project's Node does not start: ${plain.message}`);
  if (version(libraries).works) return { program: ownNode, libraries };
  const reason = unpackPackages([["libatomic1"]]).failures[0];
  const file = libraryDirs()
    .map((dir) => join(dir, "libatomic.so.1"))
    .find(existsSync);
  if (file !== undefined) {
    mkdirSync(libraries, { recursive: true });
    copyFileSync(file, join(libraries, "libatomic.so.1"));
    if (version(libraries).works) return { program: ownNode, libraries };
  }
  throw new Impossible(
    `Node 26 needs the library libatomic.so.1, and it could not be fetched (${reason ?? "it does not load"}). Install it: sudo apt-get install -y libatomic1`,
  );
}

function version(libraries) {
  const env = { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) };
  const { status, stderr, error } = spawnSync(ownNode, ["--version"], { env, encoding: "utf8" });
  return { works: status === 0, message: (error?.message ?? stderr ?? "").trim() };
}
