// Programs that keep credentials (docker-credential-helpers): `docker-credential-<name> get`, the server on stdin, JSON on stdout.

import { spawn } from "node:child_process";
import { isObject } from "../image/json.ts";
import { HELPER, type Login } from "./auth-file.ts";

const LIMIT_MS = 10_000;
/** Bytes. */
const OUTPUT_LIMIT = 64 * 1024;
const NOT_FOUND = "credentials not found in native keychain";

/** Of our own environment a helper gets what it finds its keys by, and nothing else: ours has secrets of its own. */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_.*|DBUS_SESSION_BUS_ADDRESS|DOCKER_CONFIG|SSL_CERT_(FILE|DIR)|(AWS|AZURE|GOOGLE|CLOUDSDK|GNUPG|PASSWORD_STORE)_?.*)$/;

export const helperEnvironment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => INHERITED.test(name)));

/**
 * What a helper knows for `server`; undefined: nothing. It is run without a shell, found on the PATH of `env`, and killed with all that it
 * has started if it has not answered after `limitMs`. Throws an Error that quotes nothing of what it wrote.
 */
export async function askHelper(
  name: string,
  server: string,
  env: NodeJS.ProcessEnv,
  limitMs = LIMIT_MS,
): Promise<Login | undefined> {
  if (!HELPER.test(name)) throw new Error(`\`${name}\` is not the end of a helper's name`);
  const program = `docker-credential-${name}`;
  const { code, output } = await run(program, `${server}\n`, env, limitMs);
  if (code !== 0) {
    if (output.trim() === NOT_FOUND) return undefined;
    throw new Error(`${program} failed for ${server} (exit ${code})`);
  }
  return loginIn(output, `${program} gave for ${server}`);
}

function loginIn(output: string, what: string): Login | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    // Its message would quote the answer.
  }
  if (!isObject(answer)) throw new Error(`what ${what} is not a JSON object`);
  const { Username: username = "", Secret: secret = "" } = answer;
  if (typeof username !== "string" || typeof secret !== "string")
    throw new Error(`what ${what} has no \`Username\` and \`Secret\``);
  if (username === "<token>") return { identityToken: secret };
  return username === "" && secret === "" ? undefined : { username, password: secret };
}

interface Ended {
  /** Null: it was killed by somebody else. */
  readonly code: number | null;
  readonly output: string;
}

function run(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what a helper starts can be ended with it.
    const child = spawn(program, ["get"], {
      env,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const chunks: Buffer[] = [];
    let length = 0;
    const giveUp = (why: string) => {
      clearTimeout(timer);
      if (child.pid !== undefined) endGroup(child.pid);
      child.stdout.destroy();
      reject(new Error(`${program} ${why}`));
    };
    const timer = setTimeout(() => giveUp(`has not answered after ${limitMs} ms`), limitMs);
    child.stdout.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > OUTPUT_LIMIT) giveUp(`wrote more than ${OUTPUT_LIMIT} bytes`);
    });
    child.once("error", (error) =>
      giveUp(`cannot be run (${"code" in error ? String(error.code) : error.name})`),
    );
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output: Buffer.concat(chunks).toString() });
    });
    // It may answer, or die, without having read.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
