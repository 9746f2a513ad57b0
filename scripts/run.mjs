// Makes sure of what a command needs, then runs it with the project's own Node:
//
//   sh scripts/run [--needs=a,b] [--wants=c,d] <arguments of node>
//
// Plain JavaScript for Node 18 and newer, without dependencies: on a fresh clone there is nothing else. What is there already is
// left alone; what is missing is put below node_modules/ and .local/, never into the system. Root is not needed. A program that is
// only wanted may be missing, except where CI=true: there a test must not be skipped unseen.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { Impossible, root, say } from "./setup/common.mjs";
import { installPackages, projectNode } from "./setup/node.mjs";
import { findPrograms, programsDir, unpackPrograms } from "./setup/programs.mjs";

/** What the command line says: which programs, and what Node is to run. */
export function parseArguments(words) {
  const names = { needs: [], wants: [] };
  let i = 0;
  for (; i < words.length; i++) {
    const match = /^--(needs|wants)=(.*)$/.exec(words[i]);
    if (match === null) break;
    names[match[1]] = match[2].split(",").filter((name) => name !== "");
  }
  return { ...names, command: words.slice(i) };
}

/** Everything the command needs, in place; returns the environment to run it in. Throws `Impossible` with a sentence. */
export function prepare({ needs, wants }, env) {
  installPackages();
  const node = projectNode();
  const missing = findPrograms([...needs, ...wants], env).missing;
  const failures = missing.length === 0 ? [] : unpackPrograms(missing);
  for (const { name, reason } of failures) {
    if (needs.includes(name) || env.CI === "true") throw new Impossible(reason);
    say(`going on without: ${reason}`);
  }
  const path = [join(root, "node_modules/.bin"), env.PATH ?? "", programsDir];
  const libraries = [node.libraries, env.LD_LIBRARY_PATH].filter(Boolean);
  return {
    program: node.program,
    env: {
      ...env,
      ...lean(env),
      PATH: path.join(delimiter),
      ...(libraries.length > 0 && { LD_LIBRARY_PATH: libraries.join(":") }),
    },
  };
}

/**
 * Chunks of blobs are garbage at once. A small young generation is swept often, and one arena gives back what was freed: a worker that moves
 * big blobs stays near 170 MiB instead of 230, in the same time. Blocks of 4 MiB and more, which zstd is given, have a place of their own,
 * which is given back at once: 200 MiB instead of 310 while it compresses. Sources that are compiled already, and rid of their types, need
 * no parser: a worker begins with 97 MiB instead of 110, in half the time. Where the cache's folder cannot be written, all works without
 * it. The Dockerfile says the same.
 */
function lean(env) {
  return {
    NODE_OPTIONS: `--max-semi-space-size=2 ${env.NODE_OPTIONS ?? ""}`.trim(),
    NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE ?? join(root, ".local/compiled"),
    MALLOC_ARENA_MAX: env.MALLOC_ARENA_MAX ?? "1",
    MALLOC_MMAP_THRESHOLD_: env.MALLOC_MMAP_THRESHOLD_ ?? "4194304",
  };
}

/** How often it is looked whether whoever started us is still there. */
const PARENT_MS = 500;

/** Runs the command to its end: signals go on to it, and its end is ours. npm, killed, dies without a word to us: then it is time to go, too. */
function run(program, args, env) {
  const child = spawn(program, args, { cwd: root, env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, PARENT_MS);
  child.on("error", (error) => fail(`${program} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function fail(sentence) {
  console.error(`\n${sentence}`);
  process.exit(1);
}

if (process.argv[1] !== undefined && /run(\.mjs)?$/.test(process.argv[1])) {
  const { needs, wants, command } = parseArguments(process.argv.slice(2));
  try {
    const { program, env } = prepare({ needs, wants }, process.env);
    run(program, command, env);
  } catch (error) {
    if (!(error instanceof Impossible)) throw error;
    fail(error.message);
  }
}
