// Debian and Ubuntu: the distribution's own packages, unpacked below .local/debian. apt says which ones this machine lacks, fetches
// them and checks their signatures; nothing is installed, and root is not needed.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { lastLines, local, timed } from "./common.mjs";

export const debianRoot = join(local, "debian");
const work = join(local, "apt");

/** Folders of shared libraries below the unpacked root. */
export function libraryDirs() {
  const triplet = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch];
  return triplet === undefined
    ? []
    : [join(debianRoot, "usr/lib", triplet), join(debianRoot, "lib", triplet)];
}

/**
 * For each of `wishes`, a list of packages of which the first that exists is enough: unpacks it with whatever it depends on that
 * this machine lacks. `failures[i]` says why wish i did not come true.
 */
export function unpackPackages(wishes) {
  if (!hasApt()) return { failures: wishes.map(() => "this system has no apt") };
  const names = wishes.map(([first]) => first).join(", ");
  try {
    return timed(`unpacking from the distribution's packages, without installing: ${names}`, () =>
      fetchAndUnpack(wishes),
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetchAndUnpack(wishes) {
  rmSync(work, { recursive: true, force: true });
  for (const dir of ["state/lists/partial", "cache/archives/partial", "debs"])
    mkdirSync(join(work, dir), { recursive: true });
  const update = apt(["update"]);
  if (update.status !== 0)
    return { failures: wishes.map(() => `apt: ${lastLines(update.stderr, 1)}`) };
  const failures = wishes.map((candidates) => {
    const plans = candidates.map(plan);
    const packages = plans.find((found) => found !== undefined);
    if (packages === undefined) return `the distribution has no package ${candidates.join(" or ")}`;
    const download = apt(["download", ...packages]);
    return download.status === 0 ? undefined : `apt: ${lastLines(download.stderr, 1)}`;
  });
  const failure = unpackAll(join(work, "debs"));
  return { failures: failure === undefined ? failures : wishes.map(() => failure) };
}

/** What apt would install for the package on this machine; undefined where it cannot. */
function plan(name) {
  const { status, stdout } = apt(["--simulate", "--no-install-recommends", "install", name]);
  if (status !== 0) return undefined;
  const packages = [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  // A C library beside the system's own would not fit the system's loader.
  const fitting = packages.filter((found) => !/^libc6(:|$)/.test(found));
  return fitting.length > 0 ? fitting : [name];
}

function unpackAll(folder) {
  mkdirSync(debianRoot, { recursive: true });
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
    const { status, stderr } = spawnSync(
      "dpkg-deb",
      ["--extract", join(folder, file), debianRoot],
      { encoding: "utf8" },
    );
    if (status !== 0) return `dpkg-deb: ${lastLines(stderr, 1)}`;
  }
  return undefined;
}

/** apt-get with its state in our folder, but this machine's sources and its knowledge of what is installed. */
function apt(args) {
  const settings = {
    "Dir::State": join(work, "state"),
    "Dir::State::status": "/var/lib/dpkg/status",
    "Dir::Cache": join(work, "cache"),
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "",
    "APT::Get::List-Cleanup": "0",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const result = spawnSync("apt-get", ["-q", ...options, ...args], {
    cwd: join(work, "debs"),
    env,
    encoding: "utf8",
    timeout: 300_000,
    maxBuffer: 1 << 26,
  });
  if (result.signal === "SIGINT") process.exit(130);
  return { ...result, stderr: result.error?.message ?? result.stderr };
}

const hasApt = () =>
  process.platform === "linux" &&
  existsSync("/var/lib/dpkg/status") &&
  ["apt-get", "dpkg-deb"].every(
    (tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).status === 0,
  );
