// Real peers: other people's programs that judge ours. One that is missing skips its tests with the reason on a desk, and fails in CI.

import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../src/start/free-port.ts";

const run = promisify(execFile);

/** For a test's options: `{ skip: missing("skopeo") }`. */
export function missing(...programs: string[]): string | false {
  const absent = absentOf(programs);
  if (absent.length === 0) return false;
  const reason = `not installed: ${absent.join(", ")}`;
  if (process.env["CI"] === "true") throw new Error(`${reason}; CI needs every peer`);
  return reason;
}

/**
 * As `missing`, for programs that Debian 12 has no package of: CI skips as well where they are not installed, unless `NEW_PEERS=true`
 * says that they must be there.
 */
export function missingNew(...programs: string[]): string | false {
  const absent = absentOf(programs);
  if (absent.length === 0) return false;
  const reason = `not installed, and not in Debian 12: ${absent.join(", ")}`;
  if (process.env["NEW_PEERS"] === "true") throw new Error(reason);
  return reason;
}

const absentOf = (programs: readonly string[]): readonly string[] =>
  programs.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);

/** Runs skopeo with certificates unchecked on both sides; resolves with what it printed. */
export async function skopeo(command: "copy" | "inspect", ...args: string[]): Promise<string> {
  const tls =
    command === "copy"
      ? ["--src-tls-verify=false", "--dest-tls-verify=false"]
      : ["--tls-verify=false"];
  const { stdout } = await run("skopeo", ["--insecure-policy", command, ...tls, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `host:port` */
  readonly host: string;
  readonly pid: number;
}

/**
 * Debian's docker-registry (distribution 2.8) on a free port, with its storage in a temporary folder below `parent`. `more`: further
 * sections of its configuration, and what else there is to say of `http`, such as TLS.
 */
export async function startDockerRegistry(
  parent = tmpdir(),
  { http = {}, ...more }: { readonly http?: object; readonly [section: string]: unknown } = {},
): Promise<DockerRegistry> {
  const dir = await mkdtemp(join(parent, "transship-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(dir, "data"), maxthreads: 100 },
      delete: { enabled: true },
    },
    http: { addr: host, ...http },
    ...more,
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", join(dir, "config.yml")], { stdio: "ignore" });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    // Where TLS is spoken the answer to plain HTTP is 400.
    await answering(`http://${host}/v2/`, 20_000, "tls" in http ? 400 : 200);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop };
}

/** The registry that crane serves (go-containerregistry), on a free port, in memory. */
export async function startCraneRegistry(): Promise<DockerRegistry> {
  const host = `127.0.0.1:${await freePort()}`;
  const child = spawn("crane", ["registry", "serve", "--address", host], { stdio: "ignore" });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  try {
    await answering(`http://${host}/v2/`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop };
}

/** Resolves once the address answers 200 (or `status`); throws after `withinMs`. */
export async function answering(url: string, withinMs = 20_000, status = 200): Promise<void> {
  await until(
    async () => (await fetch(url).catch(() => undefined))?.status === status,
    withinMs,
    `${url} does not answer`,
  );
}

/** Polls until `condition` holds; throws `what` after `withinMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  what: string,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} (after ${withinMs} ms)`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
