// The distribution's packages of one architecture, as parts of a root filesystem. apt fetches them and checks their signatures, with
// its state in a folder of ours; nothing is installed and root is not needed.

import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Unpacked packages are read from a pipe. */
const LARGEST_OUTPUT = 512 * 1024 * 1024;

export interface Packages {
  /** `names` and what they depend on, as apt would install them into an empty system. */
  withDependencies(names: readonly string[]): Promise<readonly string[]>;
  /** One tar of all their files, in order. */
  tar(names: readonly string[]): Promise<Buffer>;
}

/** Reads the package lists of `architecture` (Debian's name of it). `folder` may be deleted afterwards. Throws what apt said. */
export async function openPackages(
  architecture: string,
  folder: string,
  signal: AbortSignal,
): Promise<Packages> {
  const debs = join(folder, "debs");
  for (const dir of ["state/lists/partial", "cache/archives/partial", "debs"])
    await mkdir(join(folder, dir), { recursive: true });
  const status = join(folder, "status");
  await writeFile(status, "");
  const settings = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "",
    "Debug::NoLocking": "1",
    "Dir::State": join(folder, "state"),
    "Dir::State::status": status,
    "Dir::Cache": join(folder, "cache"),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const apt = async (...args: string[]) => {
    const { stdout } = await run("apt-get", ["-q", ...options, ...args], {
      cwd: debs,
      signal,
      maxBuffer: LARGEST_OUTPUT,
      env: { ...process.env, LC_ALL: "C" },
    });
    return stdout;
  };
  await apt("update");
  return {
    async withDependencies(names) {
      const plan = await apt("--simulate", "--no-install-recommends", "install", ...names);
      return [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "").toSorted();
    },
    async tar(names) {
      await apt("download", ...names);
      const files = await readdir(debs);
      const tars: Buffer[] = [];
      for (const name of names) {
        const file = files.find((candidate) => candidate.startsWith(`${name}_`));
        if (file === undefined) throw new Error(`apt did not download ${name}`);
        const { stdout } = await run("dpkg-deb", ["--fsys-tarfile", join(debs, file)], {
          signal,
          encoding: "buffer",
          maxBuffer: LARGEST_OUTPUT,
        });
        tars.push(withoutEnd(stdout));
      }
      return Buffer.concat([...tars, Buffer.alloc(2 * BLOCK)]);
    },
  };
}

/** Tar's unit, in bytes. An archive ends with two blocks of zeros. */
const BLOCK = 512;

/** The archive's entries without its end, so that others can follow. */
export function withoutEnd(tar: Buffer): Buffer {
  let offset = 0;
  while (offset + BLOCK <= tar.length && tar[offset] !== 0) {
    const size = Number.parseInt(tar.toString("latin1", offset + 124, offset + 136), 8);
    offset += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return tar.subarray(0, offset);
}
