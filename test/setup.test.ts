import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

interface Entry {
  readonly version: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, Entry>>;
}

/** The set-up is plain JavaScript: its types are written down here. */
const script = async <T>(file: string): Promise<T> =>
  (await import(join(root, "scripts", file))) as T;
const { completeLock } = await script<{ completeLock: (lock: Lock) => Lock }>("complete-lock.mjs");
const { isInstalled } = await script<{ isInstalled: (lock: Lock, installed: Lock) => boolean }>(
  "setup/node.mjs",
);
const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as Lock;

/** A clone at a path with a space, in which nothing but the npm packages is there; run where PATH has no program at all. */
async function bareClone(): Promise<
  {
    run: (env: Record<string, string>, ...args: string[]) => ReturnType<typeof spawnSync>;
    folder: string;
  } & AsyncDisposable
> {
  const home = await mkdtemp(join(tmpdir(), "transship-setup-"));
  const folder = join(home, "a clone");
  await mkdir(join(home, "empty"));
  await mkdir(folder);
  await cp(join(root, "scripts"), join(folder, "scripts"), { recursive: true });
  await cp(join(root, "package-lock.json"), join(folder, "package-lock.json"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return {
    folder,
    run: (env, ...args) =>
      spawnSync(process.execPath, [join(folder, "scripts/run.mjs"), ...args], {
        env: { PATH: join(home, "empty"), LD_LIBRARY_PATH: process.env["LD_LIBRARY_PATH"], ...env },
        encoding: "utf8",
      }),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

test("the lock file has an entry for every optional package, so that every npm accepts it", () => {
  assert.deepEqual(completeLock(lock), lock);
});

test("a package that the lock file lacks is added for its platform only", () => {
  const { packages } = completeLock({
    packages: {
      "node_modules/x": {
        version: "1.0.0",
        optionalDependencies: { "@x/linux-arm64-musl": "2.0.0" },
      },
    },
  });
  assert.deepEqual(packages["node_modules/@x/linux-arm64-musl"], {
    version: "2.0.0",
    cpu: ["arm64"],
    libc: ["musl"],
    optional: true,
    os: ["linux"],
  });
});

test("every package of the lock file has a checksum, unless it is for a platform that its registry did not serve", () => {
  const unchecked = Object.entries(lock.packages).filter(
    ([path, { integrity }]) => path !== "" && integrity === undefined,
  );
  assert.deepEqual(
    unchecked
      .filter(
        ([, { optional, os, cpu }]) => optional !== true || os?.length !== 1 || cpu?.length !== 1,
      )
      .map(([path]) => path),
    [],
  );
  const here = unchecked.filter(
    ([, { os, cpu }]) => os?.[0] === "linux" && ["x64", "arm64"].includes(cpu?.[0] ?? ""),
  );
  assert.deepEqual(
    here.filter(([path]) => !path.includes("musl")),
    [],
  );
});

test("npm ci is due when a package is missing or has another version, not when it is for another platform", () => {
  const wanted = {
    packages: {
      "": { version: "1" },
      a: { version: "1.0.0" },
      b: { version: "1.0.0", optional: true },
    },
  };
  assert.ok(isInstalled(wanted, { packages: { a: { version: "1.0.0" } } }));
  assert.ok(!isInstalled(wanted, { packages: {} }));
  assert.ok(!isInstalled(wanted, { packages: { a: { version: "1.0.1" } } }));
  assert.ok(
    !isInstalled(wanted, { packages: { a: { version: "1.0.0" }, b: { version: "0.9.0" } } }),
  );
});

test("a command runs in the project's folder with the project's Node, and its exit code is handed on", async () => {
  await using clone = await bareClone();
  const { status, stdout, stderr } = clone.run(
    {},
    "-e",
    "console.log(process.version, process.cwd()); process.exitCode = 7",
  );
  assert.deepEqual(
    { status, stdout, stderr },
    { status: 7, stdout: `${process.version} ${clone.folder}\n`, stderr: "" },
  );
});

test("where a needed program cannot be had, one sentence says what to do", async () => {
  await using clone = await bareClone();
  const { status, stderr } = clone.run({}, "--needs=redis", "-e", "console.log('ran')");
  assert.equal(status, 1);
  assert.match(
    String(stderr),
    /redis is missing.*apt-get install -y redis-server.*or set REDIS_URL/,
  );
  assert.equal(clone.run({ REDIS_URL: "redis://127.0.0.1" }, "--needs=redis", "-e", "").status, 0);
});

test("a program that is only wanted may be missing, but not in CI", async () => {
  await using clone = await bareClone();
  const desk = clone.run({}, "--wants=skopeo", "-e", "console.log('ran')");
  assert.deepEqual([desk.status, desk.stdout], [0, "ran\n"]);
  assert.match(String(desk.stderr), /going on without: skopeo is missing/);
  assert.equal(clone.run({ CI: "true" }, "--wants=skopeo", "-e", "").status, 1);
});

test("a signal goes on to the command, whose end is the end", async () => {
  await using clone = await bareClone();
  const wait =
    "process.on('SIGTERM', () => process.exit(3)); console.log('ready'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, [join(clone.folder, "scripts/run.mjs"), "-e", wait], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  assert.deepEqual(await exit, [3, null]);
});
