// Adds to the lock file the optional packages for other platforms that the npm registry in use did not serve: without their entries
// newer versions of npm refuse the lock file ("Missing: … from lock file"). Run by "npm run lock".

import { readFileSync, writeFileSync } from "node:fs";

const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];

/** The lock with an entry for every optional dependency, in npm's order. An added entry has no checksum: npm never installs it here. */
export function completeLock(lock) {
  const packages = { ...lock.packages };
  for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(packages, path, name)) continue;
      if (!/^\d+\.\d+\.\d+$/.test(version))
        throw new Error(`${name}@${version}: optional, not served, and not one exact version`);
      packages[`node_modules/${name}`] = platformEntry(name, version, dev);
    }
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

/** Looks where Node would look: below the package that asks, then further and further up. */
function isLocked(packages, path, name) {
  for (
    let folder = path;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))
  ) {
    if (packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined)
      return true;
    if (folder === "") return false;
  }
}

/** What npm writes about a package for one platform, as far as its name tells. */
function platformEntry(name, version, dev) {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-");
  const find = (known) =>
    known.filter((word) =>
      words.some(
        (part) => part === word || (word === "arm" && part.startsWith("arm") && part !== "arm64"),
      ),
    );
  const libc =
    words.includes("musl") || words.includes("musleabihf")
      ? ["musl"]
      : words.includes("gnu") || words.includes("gnueabihf")
        ? ["glibc"]
        : [];
  return {
    version,
    cpu: find(PROCESSORS),
    ...(dev === true && { dev: true }),
    ...(libc.length > 0 && { libc }),
    optional: true,
    os: find(SYSTEMS),
  };
}

if (import.meta.main ?? process.argv[1]?.endsWith("complete-lock.mjs")) {
  const file = new URL("../package-lock.json", import.meta.url);
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const complete = completeLock(lock);
  const added = Object.keys(complete.packages).length - Object.keys(lock.packages).length;
  writeFileSync(file, `${JSON.stringify(complete, null, 2)}\n`);
  console.log(`package-lock.json: ${added} entries added for other platforms`);
}
