// Other people's programs, each reading what the service wrote. A reader throws where it cannot read, or reads something else than was
// written.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { digestOf } from "../../../src/image/digest.ts";
import { missingNew } from "../../support/peers.ts";
import { documentOf } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";
import { listTar, type TarMember } from "../../support/tar.ts";
import { isOlder } from "../matrix/older.ts";
import { fileLines, filesIn, hasFiles, type Exhibit } from "./exhibits.ts";

const run = promisify(execFile);

/** What is to be read. */
export interface Written {
  readonly exhibit: Exhibit;
  /** What was copied. */
  readonly source: Sample;
  /** As the service says that it wrote it. */
  readonly digest: string;
  /** `host:port/repository:tag` at a registry, else the path; with a name, where the place has names. */
  readonly at: string;
  /** An empty folder. */
  readonly scratch: string;
}

export interface Reader {
  readonly name: string;
  readonly program: string;
  reads(exhibit: Exhibit): boolean;
  /** Whether it can be run here; absent: wherever the program is. */
  able?(): boolean;
  read(program: string, written: Written): Promise<void>;
}

const call = async (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  run(program, args, {
    encoding: "buffer",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...env },
  });

const atRegistry = ({ to }: Exhibit): boolean => to === "docker";
const isList = ({ request }: Exhibit): boolean =>
  request?.options?.["imageListSelection"] === "all";

/** In the words of skopeo. */
const referenceOf = ({ exhibit, at }: Written): string =>
  exhibit.to === "docker" ? `docker://${at}` : `${exhibit.to}:${at}`;

const READERS: readonly Reader[] = [
  {
    name: "crane validate",
    program: "crane",
    // It takes every layer for gzip, or uncompressed.
    reads: (exhibit) =>
      hasFiles(exhibit) &&
      ["docker", "docker-archive"].includes(exhibit.to) &&
      exhibit.layers === undefined,
    read: async (crane, { exhibit, at }) => {
      const from = exhibit.to === "docker" ? "--remote" : "--tarball";
      await call(crane, ["validate", from, at.replace(/\.tar:.*/, ".tar")]);
    },
  },
  {
    name: "crane digest, export",
    program: "crane",
    reads: atRegistry,
    read: async (crane, { exhibit, source, digest, at }) => {
      const { stdout } = await call(crane, ["digest", at]);
      assert.equal(stdout.toString().trim(), digest);
      if (!hasFiles(exhibit)) return;
      const exported = await call(crane, ["export", at, "-"]);
      assert.deepEqual(fileLines(listTar(exported.stdout)), fileLines(filesIn(source)));
    },
  },
  {
    name: "oras manifest, cp",
    program: "oras",
    reads: atRegistry,
    read: async (oras, { digest, at, scratch }) => {
      const { stdout } = await call(oras, ["manifest", "fetch", "--plain-http", at]);
      assert.equal(digestOf(stdout), digest);
      const layout = join(scratch, "layout");
      await call(oras, ["cp", "--from-plain-http", "--to-oci-layout", at, `${layout}:copy`]);
      const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as {
        manifests: { digest: string }[];
      };
      assert.deepEqual(index.manifests.map((entry) => entry.digest).slice(0, 1), [digest]);
    },
  },
  {
    name: "oras pull",
    program: "oras",
    reads: ({ input }) => input === "artifact",
    read: async (oras, { source, at, scratch }) => {
      await call(oras, ["pull", "--plain-http", "--output", scratch, at]);
      // A blob without a title is not written to a file: that it was found and read is what counts.
      assert.equal(documentOf(source.root).layers?.length, 1);
    },
  },
  {
    name: "umoci unpack",
    program: "umoci",
    reads: (exhibit) => exhibit.to === "oci" && hasFiles(exhibit),
    read: async (umoci, { source, at, scratch }) => {
      const bundle = join(scratch, "bundle");
      await call(umoci, ["unpack", "--rootless", "--image", at, bundle]);
      assert.deepEqual(
        fileLines(await membersBelow(join(bundle, "rootfs"))),
        fileLines(filesIn(source)),
      );
    },
  },
  {
    name: "skopeo copy, inspect",
    program: "skopeo",
    reads: () => true,
    read: async (skopeo, written) => {
      const reference = referenceOf(written);
      const all = isList(written.exhibit) ? ["--all"] : [];
      const to = `dir:${join(written.scratch, "dir")}`;
      const plain = ["--insecure-policy", "copy", "--src-tls-verify=false", ...all];
      await call(skopeo, [...plain, reference, to]);
      const manifest = await call(skopeo, ["inspect", "--raw", "--tls-verify=false", reference]);
      if (written.exhibit.to !== "docker-archive")
        assert.equal(digestOf(manifest.stdout), written.digest);
    },
  },
  {
    name: "containers-storage",
    program: "skopeo",
    reads: hasFiles,
    // It mounts; and an older one does not pull zstd:chunked file by file.
    able: () =>
      process.getuid?.() === 0 && missingNew("unshare") === false && !isOlder(skopeoVersion()),
    read: readIntoStorage,
  },
];

/** The readers that can be run here. */
export const readersHere = (): readonly Reader[] =>
  READERS.filter((reader) => missingNew(reader.program) === false && reader.able?.() !== false);

const skopeoVersion = (): string =>
  execFileSync("skopeo", ["--version"], { encoding: "utf8" }).trim().split(" ").at(-1) ?? "";

/**
 * What podman keeps images in. A layer in zstd:chunked is pulled file by file, as its table of contents says: that this was done, and
 * what files are there afterwards, shows that the table is right.
 */
async function readIntoStorage(skopeo: string, written: Written): Promise<void> {
  const { exhibit, source, scratch } = written;
  const conf = join(scratch, "storage.conf");
  await writeFile(
    conf,
    `[storage]
driver = "overlay"
runroot = "${scratch}/run"
graphroot = "${scratch}/root"
[storage.options]
pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}
`,
  );
  // The storage leaves a mount behind, which a namespace of its own takes along.
  const { stderr } = await call(
    "unshare",
    [
      "--mount",
      skopeo,
      "--debug",
      "--insecure-policy",
      "copy",
      "--src-tls-verify=false",
      referenceOf(written),
      "containers-storage:localhost/read:1",
    ],
    { CONTAINERS_STORAGE_CONF: conf },
  );
  if (exhibit.layers === "zstd:chunked")
    assert.match(stderr.toString(), /Retrieved partial blob/, "no layer was pulled file by file");
  const overlay = join(scratch, "root/overlay");
  const layers = await readdir(overlay, { withFileTypes: true });
  const found = layers
    .filter((entry) => entry.isDirectory() && /^[0-9a-f]{64}$/.test(entry.name))
    .map(({ name }) => membersBelow(join(overlay, name, "diff")));
  assert.deepEqual(fileLines((await Promise.all(found)).flat()), fileLines(filesIn(source)));
}

/** The files of a folder, as an archive would have them. */
async function membersBelow(folder: string): Promise<readonly TarMember[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries.map(async (entry): Promise<TarMember> => {
      const path = join(entry.parentPath, entry.name);
      const { mode, uid, gid, mtimeMs } = await lstat(path);
      return {
        name: path.slice(folder.length + 1),
        type: entry.isDirectory() ? "folder" : entry.isSymbolicLink() ? "symlink" : "file",
        content: entry.isFile() ? await readFile(path) : Buffer.alloc(0),
        target: entry.isSymbolicLink() ? await readlink(path) : "",
        mode,
        uid,
        gid,
        mtime: mtimeMs / 1000,
      };
    }),
  );
}

/** Runs one reader in a folder of its own; what it found wrong, or undefined. */
export async function readBy(
  reader: Reader,
  program: string,
  written: Omit<Written, "scratch">,
  scratch: string,
): Promise<string | undefined> {
  await mkdir(scratch, { recursive: true });
  try {
    await reader.read(program, { ...written, scratch });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    return stderr?.toString().trim().split("\n").at(-1) ?? message;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
